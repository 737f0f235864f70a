import { expect, test } from 'vitest'
import { limitsOf, parts } from './charts'

const at = 'functions.work.scaling.'

test('thresholds are shown for functions that are scaled', () => {
  const values = [{ path: at + 'scale_up_threshold.cpu_percent', value: '70' }, { path: at + 'scale_up_threshold.response_time_ms', value: '0' }]
  expect(limitsOf(values)).toEqual({})
  expect(limitsOf([{ path: at + 'enabled', value: 'true' }, ...values])).toEqual({ cpu_percent: 70 })
})

test('what went wrong is drawn, what went well is not', () => {
  expect(parts({ '2xx': [1], '5xx': [2], failed: [3] }).map((l) => l.label)).toEqual(['nobody answered', '5xx'])
})
