// What two policies came to on the same demand, side by side.
import { duration, number, percent } from '../../lib/format'

export type Figures = {
  instance_hours: number; over_ideal: number; cost?: number; violations_percent: number; lost_percent: number; slow_minutes_percent: number
  under_percent: number; over_percent: number; changes_per_day: number; most_instances: number; started_instances: number
}
export type Point = { at: string; demand: number; present: number; changed: number }
export type Rehearsed = {
  from: string; to: string; assumed: string[] | null; seeds: number; ideal_instance_hours: number; present: Figures; changed: Figures; series: Point[] | null
}

export type Row = { label: string; about: string; present: string; changed: string; verdict: 'better' | 'worse' | 'same'; change: string }

const share = (x: number) => percent(x / 100)
const rows: { of: keyof Figures; label: string; about: string; write: (x: number) => string; neutral?: boolean }[] = [
  { of: 'violations_percent', label: 'Requests late or lost', about: 'waited too long, or got no answer', write: share },
  { of: 'lost_percent', label: 'Requests lost', about: 'got no answer', write: share },
  { of: 'slow_minutes_percent', label: 'Slow minutes', about: 'in which more than 5 % of the requests were late', write: share },
  { of: 'under_percent', label: 'Too few instances', about: 'of the time, fewer than demand kept busy', write: share },
  { of: 'instance_hours', label: 'Instance-hours', about: 'paid from launch to drained', write: number },
  { of: 'cost', label: 'Cost', about: 'of these hours', write: number },
  { of: 'over_ideal', label: 'Over the ideal', about: 'times the hours of who knows the future', write: (x) => number(x) + 'x' },
  { of: 'changes_per_day', label: 'Changes a day', about: 'of the number of instances', write: number },
  { of: 'most_instances', label: 'Most instances', about: 'at one time', write: number, neutral: true },
]

/** The figures of both; less is better in all but the last. Differences below 1 % are the same. */
export function table(r: Rehearsed): Row[] {
  return rows.flatMap(({ of, label, about, write, neutral }) => {
    const [a, b] = [r.present[of], r.changed[of]]
    if (a === undefined || b === undefined) return []
    const apart = Math.abs(b - a) > 0.01 * Math.max(Math.abs(a), Math.abs(b)) && Math.abs(b - a) > 0.005
    const change = !apart ? '' : a > 0 ? `${b > a ? '+' : '−'}${percent(Math.abs(b - a) / a)}` : ''
    return [{ label, about, present: write(a), changed: write(b), change, verdict: neutral || !apart ? 'same' as const : b < a ? 'better' as const : 'worse' as const }]
  })
}

/** Both in a sentence. */
export function summary(r: Rehearsed): string {
  const [a, b] = [r.present, r.changed]
  const hours = b.instance_hours - a.instance_hours
  const late = b.violations_percent - a.violations_percent
  const cost = Math.abs(hours) <= 0.01 * a.instance_hours ? 'the same instance-hours' : `${percent(Math.abs(hours) / a.instance_hours)} ${hours > 0 ? 'more' : 'fewer'} instance-hours`
  const kept = Math.abs(late) < 0.005 ? 'as many late or lost requests' : `${late > 0 ? 'more' : 'fewer'} late or lost requests (${share(b.violations_percent)} instead of ${share(a.violations_percent)})`
  return `The other policy would have taken ${cost}, with ${kept}.`
}

export const span = (r: Rehearsed) => duration(new Date(r.to).getTime() - new Date(r.from).getTime())
