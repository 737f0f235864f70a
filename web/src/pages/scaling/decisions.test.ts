import { expect, test } from 'vitest'
import { desiredAt, headline, limits, marks, matters, ordered, signalValue, type Action, type Decision } from './decisions'

const at = (s: number) => new Date(1_700_000_000_000 + s * 1000).toISOString()
const decision = (current: number, result: number, more: Partial<Decision> = {}): Decision =>
  ({ at: at(0), current, result, wanted: result, carried_out: true, proposals: [], constraints: [], measured: {}, ...more }) as unknown as Decision
const action = (s: number, before: number, after: number, success = true) => ({ created_at: at(s), instance_count_before: before, instance_count_after: after, success }) as Action

test('a decision reads like a sentence', () => {
  expect(headline(decision(1, 3))).toBe('Adds 2: from 1 to 3 instances')
  expect(headline(decision(2, 1))).toBe('Removes 1: from 2 to 1 instance')
  expect(headline(decision(1, 2, { carried_out: false }))).toBe('Would add 1: from 1 to 2 instances')
  expect(headline(decision(2, 2, { wanted: 3 }))).toBe('Stays at 2 instances, although 3 were wanted')
  expect(headline(decision(1, 1))).toBe('Stays at 1 instance')
})

test('what was kept from happening matters too', () => {
  expect([matters(decision(1, 1)), matters(decision(1, 2)), matters(decision(1, 1, { wanted: 2 })), matters(decision(1, 1, { incident: 'x' }))]).toEqual([false, true, true, true])
})

test('the latest decision comes first, and once', () => {
  const [one, two] = [decision(1, 2, { at: at(1) }), decision(2, 2, { at: at(2) })]
  expect(ordered([one], two)).toEqual([two, one])
  expect(ordered([one, two], two)).toEqual([two, one])
  expect(ordered(null, undefined)).toEqual([])
})

test('a change is marked once, whether it was seen as a decision, an action or both', () => {
  const list = marks([decision(1, 2, { at: at(10) }), decision(2, 2, { at: at(12) })], [action(11, 1, 2), action(60, 2, 1), action(70, 1, 5, false)])
  expect(list.map((m) => [m.at - 1_700_000_000, m.label])).toEqual([[10, '1 → 2'], [60, '2 → 1']])
})

test('what was asked for at a time is known from the changes around it', () => {
  const t = [0, 15, 25].map((s) => 1_700_000_000 + s)
  expect(desiredAt(t, [action(20, 3, 2), action(10, 1, 3)], 2)).toEqual([1, 3, 2])
  expect(desiredAt(t, [], 4)).toEqual([4, 4, 4])
})

test('limits that are not used are left out, and idle minutes are seconds', () => {
  const v = (path: string, value: string) => ({ path: 'functions.shop.scaling.' + path, value })
  const list = limits([
    v('scale_up_threshold.cpu_percent', '70'), v('scale_down_threshold.cpu_percent', '30'), v('scale_up_threshold.memory_percent', '0'), v('scale_up_threshold.signals.queue', '50'),
    v('scale_down_threshold.idle_time_minutes', '2'), v('scale_down_threshold.remove', '1'), v('targets.in_flight.value', '8'), v('max_instances', '4'),
  ], 'shop', { cpu_percent: 41 })
  expect(list).toEqual([
    { signal: 'cpu_percent', value: 41, up: '70', down: '30', target: '' },
    { signal: 'idle_seconds', value: undefined, up: '', down: '120', target: '' },
    { signal: 'in_flight', value: undefined, up: '', down: '', target: '8' },
    { signal: 'queue', value: undefined, up: '50', down: '', target: '' },
  ])
})

test('signals have their units', () => {
  expect([signalValue('response_time_ms', 1500), signalValue('cpu_percent', 12), signalValue('idle_seconds', 90), signalValue('offered_rate', 5), signalValue('x', undefined)]).toEqual([
    '1.5 s', '12 %', '1 min 30 s', '5/s', 'unknown',
  ])
})
