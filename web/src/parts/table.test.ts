import { expect, test } from 'vitest'
import { columnsIn, kept, sorted, turned, type Column } from './table'

type Row = { name: string; rate: number | null }
const rows: Row[] = [{ name: 'b-10', rate: 3 }, { name: 'b-9', rate: 3 }, { name: 'a', rate: null }, { name: 'c', rate: 12 }]
const value = (r: Row, column: string) => (column === 'rate' ? r.rate : r.name)
const names = (list: Row[]) => list.map((r) => r.name).join(' ')

test('rows are sorted by a value either way, unknown values last and equal ones by name', () => {
  expect(names(sorted(rows, '-rate', value, (r) => r.name))).toBe('c b-9 b-10 a')
  expect(names(sorted(rows, 'rate', value, (r) => r.name))).toBe('b-9 b-10 c a')
})

test('numbers in names count as numbers', () => {
  expect(names(sorted(rows, 'name', value, (r) => r.name))).toBe('a b-9 b-10 c')
  expect(names(sorted(rows, '-name', value, (r) => r.name))).toBe('c b-10 b-9 a')
})

test('a click on a column begins with what is looked for, a second one turns it', () => {
  const rate: Column = { id: 'rate', label: 'Rate', width: '1fr', num: true }
  const name: Column = { id: 'name', label: 'Name', width: '1fr' }
  expect(turned('name', rate)).toBe('-rate')
  expect(turned('-rate', rate)).toBe('rate')
  expect(turned('rate', rate)).toBe('-rate')
  expect(turned('-rate', name)).toBe('name')
  expect(turned('name', name)).toBe('-name')
})

test('rows stay where they are under the pointer, and new ones come last', () => {
  expect(names(kept(rows, ['c', 'gone', 'a'], (r) => r.name))).toBe('c a b-10 b-9')
})

test('a narrow table leaves out what matters less', () => {
  const columns: Column[] = [{ id: 'a', label: 'A', width: '1fr' }, { id: 'b', label: 'B', width: '1fr', least: 700 }]
  expect(columnsIn(columns, 699).map((c) => c.id)).toEqual(['a'])
  expect(columnsIn(columns, 700)).toHaveLength(2)
})

test('columns that would be cut off are left out, and those without a least width never', () => {
  const columns: Column[] = [{ id: 'a', label: 'A', width: 'minmax(20rem, 1fr)' }, { id: 'b', label: 'B', width: '10rem', least: 500 }, { id: 'c', label: 'C', width: '125px', least: 400 }]
  const ids = (width: number) => columnsIn(columns, width).map((c) => c.id).join('')
  expect([ids(640), ids(520), ids(470), ids(300)]).toEqual(['abc', 'ac', 'ac', 'a'])
})
