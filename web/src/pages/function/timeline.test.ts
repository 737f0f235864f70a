import { expect, test } from 'vitest'
import { lengths, stretches } from './timeline'

const at = (s: number) => new Date(s * 1000).toISOString()

test('changes make stretches from the first moment to the last', () => {
  const list = stretches(0, 100_000, 'closed', [{ at: at(10), from: 'closed', to: 'open', reason: 'failures' }, { at: at(70), from: 'open', to: 'half_open' }, { at: at(70), from: 'half_open', to: 'closed' }])
  expect(list).toEqual([
    { state: 'closed', from: 0, to: 10_000, reason: '' }, { state: 'open', from: 10_000, to: 70_000, reason: 'failures' }, { state: 'closed', from: 70_000, to: 100_000, reason: '' },
  ])
  expect(lengths(list)).toEqual({ closed: 40_000, open: 60_000 })
})

test('a breaker that never changed is one stretch', () => {
  expect(stretches(0, 10, 'closed', [])).toEqual([{ state: 'closed', from: 0, to: 10, reason: '' }])
})
