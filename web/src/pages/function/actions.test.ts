import { afterEach, expect, test, vi } from 'vitest'
import type { FunctionLive, InstanceLive } from '../../lib/live.svelte'
import { checkCount, instanceOrders, orders, standing } from './actions'

const fn: FunctionLive = {
  name: 'shop', state: 'ok', now: '', breaker: 'closed', instances: { total: 2, available: 2, active: 2, recovering: 0, inactive: 0, failed: 0 }, desired: 2,
  min_instances: 1, max_instances: 5, rate: 1, p50_ms: 1, p95_ms: 1, p99_ms: 1, error_rate: 0, in_flight: 0, waiting: 0, strategy: 'p2c', platform: 'process',
}
const none = standing([])
const all = (f = fn, is = none) => orders(f, is, ['shop-1'], () => {}).flatMap((g) => g.orders)
const one = (id: string, f = fn, is = none) => all(f, is).find((o) => o.id === id)
const at = (sentence: string) => sentence + ' since 2026-11-22T12:00:00Z, because'

afterEach(() => vi.unstubAllGlobals())

test('what holds is read from the sentences of the server', () => {
  expect(standing([at('failed over: shop-1 gets no traffic'), at('breaker forced open')])).toEqual({ failedOver: 'shop-1', stopped: false, forcedOpen: true })
  expect(standing([at('stopped: checks, ejection, breaker and retries rest')]).stopped).toBe(true)
})

test('what is in force is offered to be taken back instead', () => {
  expect(all().map((o) => o.id)).toEqual(['failover', 'clear-sessions', 'scale', 'pause', 'pin', 'rollback', 'reset', 'open', 'stop', 'initialize'])
  const other = all({ ...fn, held: 'paused' }, { failedOver: 'shop-1', stopped: true, forcedOpen: true })
  expect(other.map((o) => o.id)).toEqual(['failback', 'clear-sessions', 'scale', 'unpause', 'rollback', 'reset', 'open', 'start', 'initialize'])
})

test('what makes no sense says why', () => {
  expect(one('rollback')!.not).toContain('docker-swarm')
  expect(one('rollback', { ...fn, platform: 'kubernetes' })!.not).toBe('')
  expect(one('scale', { ...fn, desired: null })!.not).toContain('lists')
  expect(one('open', { ...fn, breaker: 'off' })!.not).toContain('no breaker')
})

test('scaling says what will happen to how many', () => {
  const q = one('scale')!.question()
  const what = q.what as (v: Record<string, string>) => string
  expect(what({ instances: '4' })).toBe('2 instances will be started, and take traffic when healthy.')
  expect(what({ instances: '1' })).toContain('1 instance will be drained')
  expect(what({ instances: 'x' })).toBe('There are 2 now.')
  expect(q.inputs![0]!.check!('9')).toContain('1 to 5')
})

test('times and numbers are looked at before they are sent', () => {
  const check = one('pause')!.question().inputs![0]!.check!
  for (const good of ['90m', '2h', '0', '1h30m', '1.5h']) expect(check(good)).toBe('')
  for (const bad of ['', '90', '2 h', '-1h', 'soon']) expect(check(bad)).not.toBe('')
  expect(checkCount(0, 10)('-1')).not.toBe('')
  expect(checkCount(0, 10)('1.5')).not.toBe('')
  expect(checkCount(0, 10)('10')).toBe('')
})

test('an order is sent with its reason, and its undo sends the way back', async () => {
  const sent: string[] = []
  vi.stubGlobal('fetch', async (path: string, init: RequestInit) => {
    sent.push(`${init.method} ${path} ${init.body ?? ''}`)
    return new Response('{"instance_count_after":4,"pending":false}', { headers: { 'Content-Type': 'application/json' } })
  })
  let undo: (() => Promise<unknown>) | undefined
  const scale = orders(fn, none, [], (_, u) => (undo = u)).flatMap((g) => g.orders).find((o) => o.id === 'scale')!
  await scale.question().act('sale', { instances: '4' })
  await undo!()
  expect(sent).toEqual([
    'POST /api/v1/functions/shop/scale {"instances":4,"reason":"sale"}',
    'POST /api/v1/functions/shop/scale {"instances":2,"reason":"order taken back"}',
  ])
})

test('a drained instance is offered to be put back', () => {
  const i: InstanceLive = { id: 'a/1', status: 'active', in_rotation: true, ejections: 0, score: 1, weight: 3, in_flight: 4, rate: 0, p50_ms: 0, p95_ms: 0, errors: 0, error_rate: 0 }
  expect(instanceOrders('shop', i, () => {}).map((o) => o.id)).toEqual(['drain', 'weight'])
  expect(instanceOrders('shop', { ...i, draining: true }, () => {}).map((o) => o.id)).toEqual(['undrain', 'weight'])
})
