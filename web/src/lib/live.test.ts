import { expect, test } from 'vitest'
import { merge } from './live.svelte'

type Row = { name: string; rate: number }
const key = (r: Row) => r.name

test('rows that did not change stay the same objects, so that only changed rows are drawn', () => {
  const a = { name: 'a', rate: 1 }
  const b = { name: 'b', rate: 1 }
  const rows = merge([a, b], [{ name: 'b', rate: 2 }], [], key)
  expect(rows[0]).toBe(a)
  expect(rows[1]).toEqual({ name: 'b', rate: 2 })
})

test('new rows stand in order and removed ones are gone', () => {
  const rows = merge([{ name: 'b', rate: 1 }, { name: 'd', rate: 1 }], [{ name: 'c', rate: 1 }, { name: 'a', rate: 1 }], ['d'], key)
  expect(rows.map(key)).toEqual(['a', 'b', 'c'])
})

test('without a change the list itself stays', () => {
  const rows = [{ name: 'a', rate: 1 }]
  expect(merge(rows, [], [], key)).toBe(rows)
})
