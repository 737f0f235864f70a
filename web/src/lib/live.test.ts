import { expect, test, vi } from 'vitest'
import { Live, merge } from './live.svelte'

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

test('a stream that is refused is asked for again until it is given up', () => {
  vi.useFakeTimers()
  const made: { url: string; readyState: number; onerror: () => void; onopen: () => void; close: () => void }[] = []
  class Source {
    static CLOSED = 2
    readyState = 1
    onerror = () => {}
    onopen = () => {}
    close = () => {}
    addEventListener = () => {}
    constructor(readonly url: string) {
      made.push(this)
    }
  }
  vi.stubGlobal('EventSource', Source)
  const lost = vi.fn()
  const live = new Live(lost)
  live.follow('shop')
  made[0]!.onerror() // it reconnects by itself
  expect([made.length, lost.mock.calls.length, live.refused]).toEqual([1, 0, false])
  made[0]!.readyState = 2
  made[0]!.onerror()
  expect([lost.mock.calls.length, live.refused]).toEqual([1, true])
  vi.advanceTimersByTime(3000)
  expect(made.map((m) => m.url)).toEqual(['/api/v1/live?function=shop', '/api/v1/live?function=shop'])
  made[1]!.onopen()
  expect(live.refused).toBe(false)
  made[1]!.readyState = 2
  made[1]!.onerror()
  live.stop()
  vi.advanceTimersByTime(10_000)
  expect(made.length).toBe(2)
  vi.useRealTimers()
  vi.unstubAllGlobals()
})
