import { expect, test } from 'vitest'
import { ofHistory, ofRecent, rangeOf, type LatelyPoint } from './series'

const point = (more: Partial<LatelyPoint>): LatelyPoint => ({
  at: '2026-11-22T12:00:05Z', rate: 0, classes: { '2xx': 0, '5xx': 0, failed: 0 }, retries: 0, in_flight: 0, waiting: 0,
  instances: { active: 2, recovering: 0, inactive: 0, failed: 1 }, ...more,
})

test('errors of the last minutes are what instances answered badly and what nobody answered', () => {
  const s = ofRecent({ step_seconds: 5, latency_bounds_ms: [1, 2], points: [point({}), point({ rate: 10, classes: { '2xx': 5, '5xx': 3, failed: 2 }, p50_ms: 4, latency: [1, 2, 3] })] })
  expect(s.errors).toEqual([0, 0.5])
  expect(s.p50).toEqual([null, 4])
  expect(s.instances).toEqual([3, 3])
  expect(s.classes!['failed']).toEqual([0, 2])
  expect(s.heat!.counts).toEqual([[0, 0, 0], [1, 2, 3]])
  expect(s.at[0]).toBe(Date.parse('2026-11-22T12:00:05Z') / 1000)
})

test('nothing kept yet is an empty series', () => {
  expect(ofRecent({ step_seconds: 5, latency_bounds_ms: null, points: null }).at).toEqual([])
  expect(ofHistory({ function_name: 'a', step_seconds: 60, points: null }).rate).toEqual([])
})

test('a minute without requests has no latency', () => {
  const p = { at: '2026-11-22T12:00:00Z', requests_per_second: 0, error_percent: 0, success_percent: 0, p50_ms: 0, p95_ms: 0, p99_ms: 0, instances: 2 }
  const s = ofHistory({ function_name: 'a', step_seconds: 60, points: [p, { ...p, requests_per_second: 5, error_percent: 20, p50_ms: 7 }] })
  expect(s.p50).toEqual([null, 7])
  expect(s.errors).toEqual([0, 0.2])
  expect(s.cpu).toEqual([null, null])
})

test('a window nobody knows is the shortest', () => {
  expect(rangeOf('7d')).toBe('7d')
  expect(rangeOf('2y')).toBe('15m')
  expect(rangeOf(null)).toBe('15m')
})
