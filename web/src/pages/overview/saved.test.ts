import { expect, test } from 'vitest'
import { added, fault, queryOf, read, write, type View } from './saved'

function store(text: string | null = null) {
  return { text, getItem: () => text, setItem(_: string, t: string) { this.text = text = t } }
}

test('a view is the part of the query that says what is shown', () => {
  expect(queryOf(new URLSearchParams('range=1h&q=p95%3E100&story=1&state='))).toBe('q=p95%3E100&range=1h')
})

test('views are read as they were written, and nonsense is left out', () => {
  const s = store()
  write(s, [{ name: 'mine', query: 'q=shop' }])
  expect(read(s)).toEqual([{ name: 'mine', query: 'q=shop' }])
  expect(read(store('{'))).toEqual([])
  expect(read(store('[1,{"name":"a"},{"name":"b","query":""}]'))).toEqual([{ name: 'b', query: '' }])
})

test('a view of the same name is replaced, and the name is looked at', () => {
  const views: View[] = [{ name: 'a', query: '1' }, { name: 'b', query: '2' }]
  expect(added(views, { name: 'a', query: '3' })).toEqual([{ name: 'b', query: '2' }, { name: 'a', query: '3' }])
  expect(fault(views, '')).toBe('Give it a name.')
  expect(fault(views, 'x'.repeat(41))).toContain('40')
  expect(fault(views, 'c')).toBe('')
  expect(fault(Array.from({ length: 20 }, (_, i) => ({ name: String(i), query: '' })), 'c')).toContain('At most 20')
})
