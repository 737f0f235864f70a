import { expect, test } from 'vitest'
import { bucket, cells, outline, strength } from './heat'

const bounds = [1, 2, 4, 8]

test('points are put together into columns, and empty slow rows left out but one', () => {
  const c = cells([10, 15, 20], 5, bounds, [[1, 0, 0, 0, 0], [2, 1, 0, 0, 0], [0, 0, 0, 0, 0]], 2)
  expect(c).toEqual({ from: [5, 15], seconds: 10, bounds: [1, 2, 4], counts: [[3, 1, 0], [0, 0, 0]], most: 3 })
})

test('the row beyond the last bound has no end', () => {
  const c = cells([5], 5, bounds, [[0, 0, 0, 0, 7]], 100)
  expect(c.counts[0]).toEqual([0, 0, 0, 0, 7])
  expect(bucket(c, 4)).toEqual([8, Infinity])
  expect(bucket(c, 0)).toEqual([0, 1])
})

test('one slow request among thousands is seen', () => {
  expect(strength(0, 5000)).toBe(0)
  expect(strength(1, 5000)).toBeGreaterThan(0.2)
  expect(strength(5000, 5000)).toBe(1)
})

test('the outline says where most are and how slow the slowest was', () => {
  expect(outline(cells([5, 10], 5, bounds, [[9, 0, 0, 0, 0], [1, 0, 0, 1, 0]], 10))).toEqual({ total: 11, usual: 0, slowest: 3 })
  expect(outline(cells([], 5, bounds, [], 10))).toEqual({ total: 0, usual: -1, slowest: -1 })
})
