import { expect, test } from 'vitest'
import { add, asked, faults, laid, measured, result, series, told, type Moment, type Run } from './run'

const at = (s: number) => new Date(1_700_000_000_000 + s * 1000).toISOString()
const moment = (seq: number, kind: Moment['kind'], more: Partial<Moment> = {}): Moment => ({ seq, at: at(seq), kind, ...more })
const second = (seconds: number) => ({ seconds, ok_rate: 7 }) as NonNullable<Moment['figures']>

test('a moment that comes twice is there once, and the last ones are kept', () => {
  const list = add([moment(1, 'note'), moment(2, 'note')], [moment(2, 'note'), moment(3, 'note'), moment(4, 'note')], 3)
  expect(list.map((m) => m.seq)).toEqual([2, 3, 4])
  expect(add(list, [moment(4, 'note')])).toBe(list)
})

test('a second that was cut short is no second', () => {
  const s = series([moment(1, 'figures', { figures: second(1) }), moment(2, 'note'), moment(3, 'figures', { figures: second(0.1) })])
  expect(s.at).toEqual([1_700_000_001])
  expect(s.seconds[0]!.ok_rate).toBe(7)
})

test('faults are in force from their beginning to their end, or until now', () => {
  const list = faults([moment(1, 'fault', { text: 'a' }), moment(2, 'fault', { text: 'b' }), moment(4, 'reverted', { text: 'a' }), moment(5, 'fault', { text: 'a' })], 1_700_000_009)
  const ends = list.map((s) => [s.label, s.from - 1_700_000_000, s.to - 1_700_000_000])
  expect(ends).toEqual([['a', 1, 4], ['b', 2, 9], ['a', 5, 9]])
  expect(told(list, (x) => String(x - 1_700_000_000))).toEqual(['a: 2 times, from 1, 7.0 s in all', 'b: from 2, 7.0 s in all'])
})

test('the report of a load says its requests, times and objectives', () => {
  const r = result({ rate: 45.6, verdict: { generator: 'OK', objectives: [{ text: 'p99<1s', value: '407ms', met: true }] }, total: { planned: 100, ok: 99, failed: 1, error_ratio: 0.01, response: { p50: 3, p90: 4, p99: 5, max: 6 } } })!
  expect(r.objectives).toHaveLength(1)
  expect(r.facts.map((f) => f.value)).toContain('100, 1 failed (1 %)')
  expect(r.facts.map((f) => f.value)).toContain('p50 3 ms, p90 4 ms, p99 5 ms, at most 6 ms')
})

test('a search says the rate it found and what broke', () => {
  const facts = result({ sustainable_rate: 80, high: 95, confirmed: true, broke_first: 'p99', recovered_after_seconds: 0, steps: [] })!.facts
  expect(facts.map((f) => f.value)).toEqual(['80/s, confirmed', 'p99, at 95/s'])
})

test('what a drill could not measure counts neither way, and says why', () => {
  const r = result({ drills: [{ expect: [{ text: 'duplicates<=0', met: false, skipped: true, why: 'no ledger' }, { text: 'recover<5s', met: false, measured: 7.25 }], score: { total: 60, parts: [] } }] })!
  expect(r.objectives.map((o) => [o.met, o.value])).toEqual([[true, 'not measured'], [false, '7.3 s']])
  expect(r.objectives[0]!.note).toContain('no ledger')
  expect(r.score!.total).toBe(60)
})

test('figures of drills are shares, times or numbers', () => {
  expect(measured({ text: 'availability>=99%', met: true, measured: 0.9951 })).toBe('99.51 %')
  expect(measured({ text: 'open<2s', met: true, measured: 0.3 })).toBe('300 ms')
  expect(measured({ text: 'amplification<=1.2', met: true, measured: 1.1 })).toBe('1.1')
})

test('what is no report has no result', () => expect([result(undefined), result({}), result('x')]).toEqual([undefined, undefined, undefined]))

test('a run is told by what was asked for', () => {
  expect(asked({ parameters: { kind: 'load', rate: 200, duration: '30s', objectives: ['p99<1s'] } } as Run)).toBe('200/s, 30s, p99<1s')
})

test('steps of another clockwork are laid on the axis, and gaps stay gaps', () => {
  expect(laid([1, 4, 5, 6, 12, 17], [5, 10, 20], 5)).toEqual([0, 0, 0, 1, -1, 2])
  expect(laid([1], [], 5)).toEqual([-1])
})
