import { expect, test } from 'vitest'
import { bars, line, padded, shrunk } from './spark'

test('a long series keeps its peaks', () => {
  const values = Array.from({ length: 180 }, (_, i) => (i === 91 ? 50 : 1))
  const small = shrunk(values, 60)
  expect(small).toHaveLength(60)
  expect(Math.max(...(small as number[]))).toBe(50)
  expect(shrunk([1, null], 60)).toEqual([1, null])
  expect(shrunk([null, null, 3, null], 2)).toEqual([null, 3])
})

test('a line is broken where nothing is known', () => {
  expect(line([1, null, 2, 2], 100, 20)).toBe('M1.0 10.5M66.3 2.0L99.0 2.0')
  expect(line([], 100, 20)).toBe('')
  expect(line([0], 100, 20)).toBe('M50.0 19.0')
})

test('the smallest error is seen', () => {
  expect(bars([0, 0.001, 1], 100, 20)).toBe('M50.0 20v-3.0M99.0 20v-20.0')
})

test('a series that began lately stands at the right', () => {
  expect(padded([1, 2], 4)).toEqual([null, null, 1, 2])
  expect(padded([1, 2, 3], 2)).toEqual([2, 3])
})
