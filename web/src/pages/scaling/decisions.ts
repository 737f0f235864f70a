// Decisions in sentences, and what is drawn of them.
import type { Schemas } from '../../lib/api'
import { bytes, duration, number, percent } from '../../lib/format'
import type { Mark } from '../../parts/Chart.svelte'

export type Decision = Schemas['ScalingDecision']
export type Action = Schemas['StoreScalingAction']

export const count = (n: number) => `${number(n)} instance${n === 1 ? '' : 's'}`

/** What a decision says, without why. */
export function headline(d: Decision): string {
  if (d.result > d.current) return `${d.carried_out ? 'Adds' : 'Would add'} ${number(d.result - d.current)}: from ${d.current} to ${count(d.result)}`
  if (d.result < d.current) return `${d.carried_out ? 'Removes' : 'Would remove'} ${number(d.current - d.result)}: from ${d.current} to ${count(d.result)}`
  if (d.wanted !== d.result) return `Stays at ${count(d.result)}, although ${number(d.wanted)} were wanted`
  return `Stays at ${count(d.result)}`
}

/** The rules as people call them. */
const rules: Record<string, string> = {
  threshold: 'a threshold', target: 'a target', capacity: 'the capacity model', panic: 'panic', zero: 'nobody asks', forecast: 'the forecast',
  missing: 'something is unknown', never_ready: 'instances never become ready', incident: 'this looks like an incident', saturation: 'more did not help', deploy: 'a deploy is under way',
  booting: 'instances are starting', hold: 'the wish must last', rate: 'the pace of changes', cooldown: 'the rest after a change', flap_budget: 'too many changes',
  budget: 'the budget', mode: 'the mode', bounds: 'the limits', nothing: 'nothing is to be changed',
}
export const ruleName = (r: string) => rules[r] ?? r.replaceAll('_', ' ')

/** A signal's value with its unit, by its name. */
export function signalValue(signal: string, x: number | undefined): string {
  if (x === undefined) return 'unknown'
  if (/_ms$/.test(signal)) return duration(x)
  if (/_percent$/.test(signal)) return percent(x / 100)
  if (/_seconds$/.test(signal)) return duration(x * 1000)
  if (/_bytes$/.test(signal)) return bytes(x)
  return number(x) + (/_rate$/.test(signal) ? '/s' : '')
}
export const signalName = (s: string) => s.replace(/_(ms|percent|seconds)$/, '').replaceAll('_', ' ')

/** Whether something happened or was kept from happening. */
export const matters = (d: Decision) => d.result !== d.current || d.wanted !== d.result || !!d.incident

/** Newest first, the latest one once. */
export function ordered(earlier: Decision[] | null | undefined, latest: Decision | undefined): Decision[] {
  const list = [...(earlier ?? [])].reverse()
  if (latest && list[0]?.at !== latest.at) list.unshift(latest)
  return list
}

/** The moments at which a number changed. */
export function marks(list: Decision[], actions: Action[]): Mark[] {
  const by = new Map<number, Mark>()
  const add = (at: string, from: number, to: number) => {
    const second = Math.round(new Date(at).getTime() / 1000)
    // An action is what a decision led to, a moment later: it is not marked twice.
    for (let s = second - 3; s <= second + 3; s++) if (by.get(s)?.label === `${from} → ${to}`) return
    by.set(second, { at: second, label: `${from} → ${to}` })
  }
  for (const d of list) if (d.carried_out && d.result !== d.current) add(d.at, d.current, d.result)
  for (const a of actions) if (a.success && a.instance_count_after !== a.instance_count_before) add(a.created_at, a.instance_count_before, a.instance_count_after)
  return [...by.values()].sort((a, b) => a.at - b.at)
}

/** How many instances were asked for at each of the times, by the changes before and after it; null where nobody knows. */
export function desiredAt(at: number[], actions: Action[], now: number | null): (number | null)[] {
  const list = actions.filter((a) => a.success).map((a) => ({ at: new Date(a.created_at).getTime() / 1000, before: a.instance_count_before, after: a.instance_count_after }))
  list.sort((a, b) => a.at - b.at)
  let i = 0
  return at.map((t) => {
    while (i < list.length && list[i]!.at <= t) i++
    return i > 0 ? list[i - 1]!.after : (list[0]?.before ?? now)
  })
}

export type Limit = { signal: string; value: number | undefined; up: string; down: string; target: string }

/** What counts for a function beside what was measured: values are those of the configuration, without 0, which is not used. */
export function limits(values: { path: string; value: string }[], fn: string, measured: Record<string, number> | undefined): Limit[] {
  const root = `functions.${fn}.scaling.`
  const by = new Map<string, Limit>()
  const of = (signal: string) => {
    if (!by.has(signal)) by.set(signal, { signal, value: measured?.[signal], up: '', down: '', target: '' })
    return by.get(signal)!
  }
  for (const { path, value } of values) {
    if (!path.startsWith(root) || !(Number(value) > 0)) continue
    const [block, ...rest] = path.slice(root.length).split('.')
    const signal = (rest[0] === 'signals' ? rest[1] : rest[0]) ?? ''
    if (!signal || signal === 'steps' || signal === 'remove') continue
    if (block === 'scale_up_threshold') of(signal).up = value
    else if (block === 'scale_down_threshold') signal === 'idle_time_minutes' ? (of('idle_seconds').down = String(Number(value) * 60)) : (of(signal).down = value)
    else if (block === 'targets' && rest[1] === 'value') of(signal).target = value
  }
  return [...by.values()].sort((a, b) => (a.signal < b.signal ? -1 : 1))
}
