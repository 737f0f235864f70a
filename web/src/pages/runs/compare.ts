// What is to be said of two runs beside each other.
import type { Schemas } from '../../lib/api'
import { duration, number, percent } from '../../lib/format'
import type { Second } from './run'

export type Metric = Schemas['CompareMetric']

/** A figure of a metric: times, rates and shares look different. */
export function figure(m: Metric, x: number): string {
  if (/^p\d/.test(m.name)) return duration(x)
  return m.name === 'failed' ? percent(x) : number(x)
}

/** A change that is a part of 1, with its sign: 0.1 -> +10 %. */
export function change(x: number): string {
  if (!Number.isFinite(x)) return '–'
  const text = percent(Math.abs(x))
  return (x > 0 ? '+' : x < 0 ? '−' : '') + text
}

/** All metrics in a sentence. */
export function outcomes(list: Metric[]): string {
  const names = (o: string) => list.filter((m) => m.outcome === o).map((m) => m.name).join(', ')
  const worse = names('worse')
  const better = names('better')
  if (worse) return `Worse: ${worse}` + (better ? `; better: ${better}` : '')
  if (better) return `Better: ${better}; nothing is worse`
  return list.length && list.every((m) => m.outcome === 'same') ? 'No difference that matters' : 'No difference that is sure: measure longer, or more often'
}

/** Seconds of both by the time since each began; null where one of them has none. */
export function overlay(a: Second[], b: Second[]): { at: number[]; before: (Second | null)[]; after: (Second | null)[] } {
  const by = (list: Second[]) => new Map(list.map((s) => [Math.round(s.at_seconds), s]))
  const [before, after] = [by(a), by(b)]
  const at = [...new Set([...before.keys(), ...after.keys()])].sort((x, y) => x - y)
  return { at, before: at.map((t) => before.get(t) ?? null), after: at.map((t) => after.get(t) ?? null) }
}
