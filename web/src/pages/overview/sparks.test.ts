import { expect, test } from 'vitest'
import type { Series } from '../../lib/series'
import { Sparks } from './sparks.svelte'

const empty: Series = { at: [], step: 5, rate: [], errors: [], p50: [], p95: [], p99: [], cpu: [], memory: [], instances: [] }
const settle = () => new Promise((r) => setTimeout(r))

test('a few are asked for at once, and those that left sight not at all', async () => {
  const open: { name: string; answer: (s: Series) => void }[] = []
  const sparks = new Sparks((name) => new Promise((answer) => open.push({ name, answer })))
  sparks.want(['a', 'b', 'c', 'd', 'e', 'f'], '15m')
  expect(open.map((o) => o.name)).toEqual(['a', 'b', 'c', 'd'])
  sparks.want(['f'], '15m')
  open[0]!.answer(empty)
  await settle()
  expect(open.map((o) => o.name)).toEqual(['a', 'b', 'c', 'd', 'f'])
  expect([...sparks.all.keys()]).toEqual(['a'])
})

test('what is young is kept, what is old is asked for again, and another window begins anew', async () => {
  let asked = 0
  const sparks = new Sparks(async () => (asked++, empty))
  sparks.want(['a'], '15m', 0)
  await settle()
  sparks.want(['a'], '15m', 19_000)
  expect(asked).toBe(1)
  sparks.want(['a'], '15m', 21_000)
  await settle()
  expect(asked).toBe(2)
  sparks.want(['a'], '1h', 21_000)
  expect(sparks.all.size).toBe(0)
})

test('what cannot be had is asked for again with the next wish', async () => {
  let asked = 0
  const sparks = new Sparks(async () => (asked++, Promise.reject(new Error('no'))))
  sparks.want(['a'], '15m', 0)
  await settle()
  sparks.want(['a'], '15m', 1000)
  expect(asked).toBe(2)
})
