import { expect, test } from 'vitest'
import { change, figure, outcomes, overlay, type Metric } from './compare'
import type { Second } from './run'

const metric = (name: string, outcome = 'same') => ({ name, outcome }) as Metric

test('figures are written as what they are', () => {
  expect([figure(metric('p99'), 250), figure(metric('failed'), 0.01), figure(metric('good answers/s'), 45.69)]).toEqual(['250 ms', '1 %', '46'])
  expect([change(0.1), change(-0.25), change(0)]).toEqual(['+10 %', '−25 %', '0 %'])
})

test('what became worse is said first, and what nobody knows is not called the same', () => {
  expect(outcomes([metric('p50', 'better'), metric('p99', 'worse')])).toBe('Worse: p99; better: p50')
  expect(outcomes([metric('p50', 'better'), metric('p99')])).toBe('Better: p50; nothing is worse')
  expect(outcomes([metric('p50'), metric('p99')])).toBe('No difference that matters')
  expect(outcomes([metric('p50', 'inconclusive'), metric('p99')])).toContain('measure longer')
})

test('two runs share an axis of the time since each began', () => {
  const s = (at_seconds: number) => ({ at_seconds }) as Second
  const o = overlay([s(1.01), s(2.01), s(3)], [s(0.99), s(3.02)])
  expect(o.at).toEqual([1, 2, 3])
  expect(o.after.map((x) => x?.at_seconds)).toEqual([0.99, undefined, 3.02])
})
