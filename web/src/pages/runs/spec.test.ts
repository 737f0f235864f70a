import { expect, test } from 'vitest'
import { check, inputs, problems, shown, spec } from './spec'

const load = { aim: 'function', function: 'shop', rate: '100', duration: '30s' }

test('only what belongs to the kind and was filled in is sent', () => {
  expect(spec('load', { ...load, suite: 'spike', url: 'http://x', objectives: ' p99<1s \n\nerrors<1%' })).toEqual({
    kind: 'load', function: 'shop', rate: 100, duration: '30s', objectives: ['p99<1s', 'errors<1%'],
  })
  expect(spec('stress', { ...load, suite: 'breakpoint', p99: '200ms', max: '50' })).toEqual({ kind: 'stress', function: 'shop', p99: '200ms', max: 50 })
  expect(spec('drill', { ...load, experiment: 'failover', long: 'yes' })).toEqual({ kind: 'drill', function: 'shop', experiment: 'failover', long: true })
  expect(spec('load', { aim: 'scenario', function: 'shop', scenario: 'a:\n  b', rate: '1' })).toEqual({ kind: 'load', scenario: 'a:\n  b' })
})

test('what is wrong is told by field', () => {
  expect(problems('load', load)).toEqual({})
  expect(Object.keys(problems('load', { ...load, duration: 'soon', rate: '-1' }))).toEqual(['rate', 'duration'])
  expect(Object.keys(problems('load', { ...load, users: '5' }))).toEqual(['users'])
  expect(Object.keys(problems('load', { aim: 'function' }))).toEqual(['rate'])
  expect(Object.keys(problems('load', { aim: 'url', rate: '1' }))).toEqual(['url'])
  expect(Object.keys(problems('load', { aim: 'scenario' }))).toEqual(['scenario'])
  expect(Object.keys(problems('stress', { aim: 'function', suite: 'spike' }))).toEqual(['rate'])
  expect(Object.keys(problems('drill', {}))).toEqual(['experiment'])
})

test('fields of a search are not those of a suite', () => {
  const names = (suite: string) => shown('stress', { aim: 'function', suite }).map((i) => i.name)
  expect(names('breakpoint')).toContain('max')
  expect(names('breakpoint')).not.toContain('rate')
  expect(names('spike')).toContain('rate')
  expect(names('spike')).not.toContain('max')
})

test('durations and numbers are understood as the server does', () => {
  const [rate, duration, users] = ['rate', 'duration', 'users'].map((n) => inputs.load.find((i) => i.name === n)!)
  for (const good of ['', '30s', '1m30s', '0.5h', '250ms']) expect(check(duration!, good)).toBe('')
  for (const bad of ['30', 's', '1 m', '-1s']) expect(check(duration!, bad)).not.toBe('')
  for (const bad of ['x', '-1', '100001', '1e9']) expect(check(rate!, bad)).not.toBe('')
  expect(check(users!, '1.5')).not.toBe('')
})
