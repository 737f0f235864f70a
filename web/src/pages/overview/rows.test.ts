import { expect, test } from 'vitest'
import type { Alert, FunctionLive } from '../../lib/live.svelte'
import { sorted } from '../../parts/table'
import { bare, doing, filtered, incidents, searchFault, sums, valueOf, verdict, wanted } from './rows'

export const fn = (name: string, more: Partial<FunctionLive> = {}): FunctionLive => ({
  name, state: 'ok', now: '', breaker: 'closed', instances: { total: 2, available: 2, active: 2, recovering: 0, inactive: 0, failed: 0 },
  desired: 2, rate: 10, p50_ms: 5, p95_ms: 20, p99_ms: 40, error_rate: 0, in_flight: 1, waiting: 0, strategy: 'p2c', ...more,
})
const alert = (id: string, more: Partial<Alert> = {}): Alert => ({
  id, fingerprint: id, rule: 'errors', severity: 'warning', summary: id, began: '2026-11-22T12:00:00Z', ...more,
})

const shop = fn('shop', { state: 'incident', breaker: 'open', error_rate: 0.5, now: 'breaker open, next try in 20 s' })
const work = fn('work', { state: 'warning', p95_ms: 900 })
const idle = fn('idle', { state: 'zero', rate: 0, p95_ms: 0 })
const fine = fn('fine')
const all = [fine, idle, shop, work]
const names = (list: FunctionLive[]) => list.map((f) => f.name).join(' ')

test('the worst is said first', () => {
  expect(verdict(sums(all))).toBe('1 function has an incident, 1 to look at')
  expect(verdict(sums([work, fine]))).toBe('1 function to look at')
  expect(verdict(sums([fine]))).toBe('All is well')
  expect(verdict(sums([fine, idle]))).toBe('Nothing is wrong')
  expect(verdict(sums([]))).toBe('No function is configured')
})

test('sums are of all functions', () => {
  const s = sums(all)
  expect([s.all, s.incident, s.rate, s.failing, s.instances]).toEqual([4, 1, 30, 5, 8])
})

test('the worst stand first', () => {
  expect(names(sorted(all, 'state', valueOf, (f) => f.name))).toBe('shop work idle fine')
})

test('a function nobody asks has no latency to be sorted by', () => {
  expect(names(sorted(all, '-p95', valueOf, (f) => f.name))).toBe('work fine shop idle')
})

test('a search finds words anywhere and figures by a limit', () => {
  expect(names(filtered(all, 'open next', []))).toBe('shop')
  expect(names(filtered(all, 'p95>100', []))).toBe('work')
  expect(names(filtered(all, 'errors>10 rate<20', []))).toBe('shop')
  expect(names(filtered(all, '', ['zero', 'ok']))).toBe('fine idle')
  expect(filtered(all, '', [])).toBe(all)
})

test('what cannot be searched for is said', () => {
  expect(searchFault('p95>100 shop')).toBe('')
  expect(searchFault('p96>1')).toContain('no figure "p96"')
  expect(searchFault('rate>fast')).toContain('needs a number')
  expect(searchFault('rate>')).toContain('needs a number')
})

test('alerts come worst first, the newest of equals before, and a problem that an alert tells is not told twice', () => {
  const list = incidents(
    [alert('old'), alert('new', { began: '2026-11-22T13:00:00Z' }), alert('worst', { severity: 'critical', function: 'shop', rule: 'breaker_open', summary: 'the breaker of shop is open' }), alert('over', { ended: '2026-11-22T12:30:00Z' })],
    ['shop: breaker open, next try in 20s', 'work: breaker open', 'shop: 1 of 2 instances failed (holdfast instances shop)', 'the disk is full'],
  )
  expect(list.map((i) => i.key)).toEqual(['worst', 'work: breaker open', 'shop: 1 of 2 instances failed (holdfast instances shop)', 'the disk is full', 'new', 'old'])
  expect(list[2]).toMatchObject({ function: 'shop', summary: '1 of 2 instances failed' })
  expect(list[3]).not.toHaveProperty('function')
})

test('the same of several instances of a function is one line that counts the others', () => {
  const lag = (id: string, fn = 'shop') => alert(id, { function: fn, instance: id, rule: 'loop_lag' })
  const list = incidents([lag('shop-1'), lag('shop-2'), lag('shop-3'), lag('work-1', 'work'), alert('a'), alert('b')], [])
  expect(list.map((i) => [i.key, i.more])).toEqual([['shop-1', 2], ['work-1', undefined], ['a', undefined], ['b', undefined]])
})

test('a problem that an alert tells with other figures and marks is not told twice, of another instance it is', () => {
  const told = alert('lag', { function: 'shop', instance: 'shop-1', rule: 'loop_lag', summary: 'shop: instance shop-1: its event loop lags 473 ms (limit 100 ms): it blocks' })
  const problem = (id: string) => `shop: instance ${id} its event loop lags 120 ms (limit 100 ms): it blocks`
  expect(incidents([told], [problem('shop-1'), problem('shop-2')]).map((i) => i.key)).toEqual([problem('shop-2'), 'lag'])
})

test('desired instances come with their bounds', () => {
  expect(wanted(fn('a', { min_instances: 1, max_instances: 5 }))).toBe('2 (1 to 5)')
  expect(wanted(fn('a', { desired: null }))).toBe('listed')
})

test('what Holdfast does is said for what is wrong, and nothing where nothing is', () => {
  const counts = { total: 3, available: 2, active: 2, recovering: 0, inactive: 0, failed: 1 }
  expect(doing(fine)).toBe('')
  expect(doing(undefined)).toBe('')
  expect(doing(shop)).toContain('keeps requests away')
  expect(doing(shop)).toContain('next try in 20 s')
  expect(doing(fn('a', { breaker: 'half_open' }))).toContain('lets a few requests try')
  expect(doing(fn('a', { instances: counts }))).toBe('sends traffic to the 2 that are left, checks the failed one and puts it back when it answers')
  expect(doing(fn('a', { instances: { ...counts, available: 0 } }))).toContain('as soon as one answers')
  expect(doing(fn('a', { now: 'starting instance a-3' }))).toBe('is starting instance a-3; 2 take the traffic meanwhile')
  expect(doing(fn('a', { now: 'instance a-3 ejected', instances: { ...counts, available: 1, failed: 0 } }))).toContain('one takes the traffic')
})

test('a summary does not repeat the name beside it', () => {
  expect(bare('shop: it failed', 'shop')).toBe('it failed')
  expect(bare('shop: it failed', 'work')).toBe('shop: it failed')
})
