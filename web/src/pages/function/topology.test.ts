import { expect, test } from 'vitest'
import type { InstanceLive } from '../../lib/live.svelte'
import { sorted } from '../../parts/table'
import { found, plain, routesOf, standing, valueOf } from './topology'

const instance = (id: string, more: Partial<InstanceLive> = {}): InstanceLive => ({
  id, status: 'active', in_rotation: true, ejections: 0, score: 1, weight: 1, in_flight: 0, rate: 0, p50_ms: 0, p95_ms: 0, errors: 0, error_rate: 0, ...more,
})

test('routes are read from the values of the configuration', () => {
  expect(routesOf([
    { path: 'functions.shop.routes[0].path', value: '"/api/shop/"' },
    { path: 'functions.shop.routes[1].host', value: 'shop.example.com' },
    { path: 'functions.shop.retry.attempts', value: '2' },
  ])).toEqual([{ host: '', path: '/api/shop/', strip: '' }, { host: 'shop.example.com', path: '', strip: '' }])
  expect(plain('"a\\"b"')).toBe('a"b')
  expect(plain('30s')).toBe('30s')
})

test('the worst instances stand first', () => {
  const list = [instance('a'), instance('b', { status: 'failed' }), instance('c', { ejected_until: '2026-11-22T12:00:00Z', status: 'failed' }), instance('d', { status: 'recovering' })]
  expect(sorted(list, 'status', valueOf, (i) => i.id).map((i) => i.id)).toEqual(['c', 'b', 'd', 'a'])
})

test('instances are found by anything that is said of them', () => {
  const list = [instance('a-1', { zone: 'north' }), instance('a-2', { reason: 'connection refused', status: 'failed' })]
  expect(found(list, 'REFUSED fail')).toEqual([list[1]])
  expect(found(list, 'north')).toEqual([list[0]])
  expect(found(list, ' ')).toBe(list)
})

test('why an instance gets less is said', () => {
  expect(standing(instance('a', { draining: true }), '')).toBe('drained by order')
  expect(standing(instance('a', { ejected_until: 'x', ejections: 3 }), '20 s')).toBe('ejected, back in 20 s (3 times lately)')
  expect(standing(instance('a', { slow_start: 0.25 }), '')).toBe('warming up, 25 % of its share')
  expect(standing(instance('a', { slow_start: 1 }), '')).toBe('')
})
