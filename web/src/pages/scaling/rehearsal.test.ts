import { expect, test } from 'vitest'
import { summary, table, type Figures, type Rehearsed } from './rehearsal'

const figures = (more: Partial<Figures> = {}): Figures => ({
  instance_hours: 100, over_ideal: 1.5, violations_percent: 2, lost_percent: 0, slow_minutes_percent: 1, under_percent: 0.5, over_percent: 90, changes_per_day: 10, most_instances: 4, started_instances: 9, ...more,
})
const both = (changed: Partial<Figures>): Rehearsed => ({ from: '', to: '', assumed: [], seeds: 3, ideal_instance_hours: 60, present: figures(), changed: figures(changed), series: [] })
const verdicts = (r: Rehearsed) => Object.fromEntries(table(r).map((x) => [x.label, x.verdict]))

test('fewer hours and fewer late requests are better, more instances are neither', () => {
  const v = verdicts(both({ instance_hours: 80, violations_percent: 3, most_instances: 9 }))
  expect(v).toMatchObject({ 'Instance-hours': 'better', 'Requests late or lost': 'worse', 'Most instances': 'same', 'Changes a day': 'same' })
})

test('a difference that is within a percent is none', () => expect(verdicts(both({ instance_hours: 100.9 }))['Instance-hours']).toBe('same'))

test('what has no price has no row for it', () => {
  expect(table(both({})).some((r) => r.label === 'Cost')).toBe(false)
  const priced = both({ cost: 3 })
  priced.present.cost = 4
  expect(table(priced).find((r) => r.label === 'Cost')).toMatchObject({ present: '4', changed: '3', verdict: 'better', change: '−25 %' })
})

test('both are told in a sentence', () => {
  expect(summary(both({ instance_hours: 80 }))).toBe('The other policy would have taken 20 % fewer instance-hours, with as many late or lost requests.')
  expect(summary(both({ violations_percent: 4 }))).toContain('the same instance-hours, with more late or lost requests (4 % instead of 2 %)')
})
