import type { Alert } from '../../lib/live.svelte'

/** An alert with where it stands; what keeps it from being told is empty when nothing does. */
export type Standing = Alert & {
  state: 'pending' | 'firing' | 'resolved'
  since: string
  flapping?: boolean
  told: boolean
  inhibited_by?: string
  silenced_by?: string
  maintenance?: string
}

/** Why nobody is told of an alert; empty: they are. */
export function hushed(s: Standing): string {
  if (s.inhibited_by) return `not told: ${words(s.inhibited_by)} explains it`
  if (s.silenced_by) return 'not told: silenced'
  if (s.maintenance) return `not told: maintenance ${s.maintenance}`
  if (s.state === 'pending') return 'not told yet: it must last'
  return s.told ? '' : 'about to be told'
}

/** A rule's name as words. */
export const words = (rule: string) => rule.replaceAll('_', ' ')

/** What an alert is about. */
export const subject = (a: Alert) => a.instance || a.function || 'Holdfast'

/** Where the chart is: links lead to this very page where they can. */
export function chart(a: Alert): string {
  const hash = a.link?.split('#', 2)[1]
  return hash ? '#' + hash : a.function ? '#/functions/' + encodeURIComponent(a.function) : '#/health'
}

/** What is wrong with a length of time such as 90m; empty: nothing. */
export function faultOfLength(text: string): string {
  return /^(\d+(\.\d+)?(h|m|s))+$/.test(text) ? '' : 'Write it as 90m or 2h.'
}
