import { expect, test } from 'vitest'
import { Parser } from './stream'

const text = ': ping\n\nretry: 1000\n\nid: a-1\nevent: breaker\ndata: {"x":1}\n\nevent: gap\ndata: {}\n\ndata: one\ndata: two\n\n'
const want = [
  { kind: 'breaker', id: 'a-1', data: '{"x":1}' },
  { kind: 'gap', id: 'a-1', data: '{}' },
  { kind: 'message', id: 'a-1', data: 'one\ntwo' },
]

test('a stream is understood in whatever pieces it comes', () => {
  for (const size of [1, 2, 7, 1000]) {
    const parser = new Parser()
    const heard = []
    for (let i = 0; i < text.length; i += size) heard.push(...parser.push(text.slice(i, i + size)))
    expect(heard).toEqual(want)
  }
})

test('an event that is not complete yet is not told', () => {
  const parser = new Parser()
  expect(parser.push('event: run\ndata: {}\n')).toEqual([])
  expect(parser.push('\n')).toEqual([{ kind: 'run', id: '', data: '{}' }])
})
