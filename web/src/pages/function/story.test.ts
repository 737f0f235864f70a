import { expect, test } from 'vitest'
import type { Schemas } from '../../lib/api'
import { bars, outcome } from './story'

const request = (more: Partial<Schemas['Request']>): Schemas['Request'] => ({
  id: 'a', at: '2026-11-22T12:00:00Z', method: 'GET', host: 'h', path: '/', status: 200, local: false, failed: false, head_ms: 10, took_ms: 100, queued_ms: 0, bytes: 0, attempts: [], ...more,
})
const attempt = { head_ms: 1, upload_ms: 0, retried: false }

test('a request that was queued and tried twice is four bars', () => {
  const list = bars(request({
    queued_ms: 20,
    attempts: [{ ...attempt, instance: 'a-1', start_ms: 20, took_ms: 10, reason: 'reset', retried: true }, { ...attempt, instance: 'a-2', start_ms: 55, took_ms: 45, status: 200 }],
  }))
  expect(list.map((b) => [b.label, b.tone, b.ms])).toEqual([['queued', 'wait', 20], ['on a-1', 'bad', 10], ['pause before another try', 'wait', 25], ['on a-2', 'good', 45]])
  expect(list[3]).toMatchObject({ from: 0.55, share: 0.45, about: '200' })
  expect(list[1]!.about).toBe('reset, tried again')
})

test('a request that reached nobody says who answered', () => {
  expect(bars(request({ local: true, failed: true, status: 503, reason: 'breaker_open', took_ms: 0.02 }))).toEqual([
    { label: 'answered by Holdfast', from: 0, share: 1, ms: 0.02, tone: 'bad', about: 'breaker_open' },
  ])
})

test('an answer of 4xx is the client’s and no failure', () => {
  expect([outcome(request({})), outcome(request({ status: 404 })), outcome(request({ status: 502, failed: true }))]).toEqual(['ok', 'refused', 'failed'])
})
