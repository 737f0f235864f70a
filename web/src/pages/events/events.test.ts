import { expect, test } from 'vitest'
import { add, fits, kept, link, tone, type Seen } from './events'

const event = (more: Partial<Seen>): Seen => ({ id: 'r-1', seq: 1, at: '2026-05-04T12:00:00Z', kind: 'breaker', ...more })

test('the newest comes first, the oldest go, and none is there twice', () => {
  let list: Seen[] = []
  for (let i = 0; i < kept + 5; i++) list = add(list, event({ id: 'r-' + i, seq: i }))
  expect(list).toHaveLength(kept)
  expect(list[0]!.seq).toBe(kept + 4)
  expect(add(list, list[7]!)).toBe(list)
})

test('a filter goes by kind, function and any of the words', () => {
  const e = event({ function: 'shop', to: 'open', reason: 'Too many failures' })
  const all = { kind: '', function: '', text: '' }
  expect(fits(e, all)).toBe(true)
  expect(fits(e, { ...all, kind: 'breaker', function: 'shop', text: 'too MANY' })).toBe(true)
  expect(fits(e, { ...all, kind: 'process' })).toBe(false)
  expect(fits(e, { ...all, function: 'work' })).toBe(false)
  expect(fits(e, { ...all, text: 'nothing like it' })).toBe(false)
})

test('an event leads to what it is about', () => {
  expect(link(event({ kind: 'run', reason: 'load 20261122-120731-f5fe482b (http://x): passed' }))?.to).toBe('/runs/20261122-120731-f5fe482b')
  expect(link(event({ kind: 'scaling', function: 'a b' }))?.to).toBe('/scaling/a%20b')
  expect(link(event({ function: 'shop' }))?.to).toBe('/functions/shop')
  expect(link(event({ kind: 'config' }))).toBeUndefined()
})

test('what failed looks worse than what came back', () => {
  expect(tone(event({ to: 'open' }))).toBe('bad')
  expect(tone(event({ to: 'half_open' }))).toBe('warn')
  expect(tone(event({ kind: 'instance_status', to: 'active' }))).toBe('good')
  expect(tone(event({ kind: 'instance_status', to: 'inactive', source: 'lifecycle' }))).toBe('')
  expect(tone(event({ kind: 'config' }))).toBe('')
})
