import { expect, test } from 'vitest'
import { add, kept, sample, worries, type Own, type Sample } from './health'

const store = { state: 'up', queued: 0, spooled: 0, spool_bytes: 0, only_in_memory: 0, states: 0, dropped: { event: 0 }, rejected: 0 }
const own = (more: Partial<typeof store & { reason: string; spool_reason: string }> = {}): Own =>
  ({ version: 'v', go: 'go', pid: 1, started: '', uptime_seconds: 1, goroutines: 50, heap_bytes: 1 << 20, rss_bytes: 0, open_files: 0, store: { ...store, ...more } }) as Own

test('a well Holdfast is worth no word', () => {
  expect(worries(own())).toEqual([])
  expect(worries({ ...own(), store: undefined } as unknown as Own)).toEqual([])
})

test('what would be lost comes before what was', () => {
  const list = worries(own({ dropped: { event: 3 }, only_in_memory: 7, spool_reason: 'no room' }))
  expect(list.map((w) => w.tone)).toEqual(['bad', 'warn'])
  expect(list[0]!.text).toContain('no room')
  expect(list[1]!.text).toContain('3 facts')
})

test('a store that is down says why', () => {
  expect(worries(own({ state: 'down', reason: 'no route to host' }))[0]!.text).toContain('no route to host')
})

test('what the monitor found about Holdfast itself is told, and nothing of functions', () => {
  const found = { rule: 'memory' as const, since: '', window_seconds: 60, value: 95, worst: 96, limit: 90, text: 'memory is 95 %' }
  expect(worries(own(), [found, { ...found, function_name: 'shop' }])).toEqual([{ tone: 'bad', text: 'memory is 95 %' }])
})

test('what cannot be read is no zero', () => {
  expect(sample(1, own(), undefined)).toMatchObject({ rss: null, lag: null, cpu: null, heap: 1 << 20 })
})

test('an hour of samples is kept', () => {
  let list: Sample[] = []
  for (let i = 0; i < kept + 3; i++) list = add(list, sample(i, own(), undefined))
  expect([list.length, list[0]!.at]).toEqual([kept, 3])
})
