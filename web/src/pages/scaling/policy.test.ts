import { expect, test } from 'vitest'
import { changes, check, fieldOf, fields, filled, overlay, present, problems, type Value } from './policy'

const v = (path: string, value: string): Value => ({ path: 'functions.shop.scaling.' + path, value, origin: 'default' })
const now = present([v('min_instances', '1'), v('max_instances', '4'), v('mode.kind', '"on"'), v('cooldown_period', '5m'), v('budget.at_cap', 'hold')], 'shop')

test('what the configuration says fills the form, without quotes', () => {
  const form = filled(now)
  expect([form['max_instances'], form['mode.kind'], form['targets.in_flight.value']]).toEqual(['4', 'on', ''])
  expect(changes(form, now)).toEqual([])
  expect(problems(form, now)).toEqual({})
})

test('only what differs is a change, however it is written', () => {
  const form = { ...filled(now), max_instances: ' 4.0 ', 'mode.kind': 'advisory', 'targets.in_flight.value': '8' }
  expect(changes(form, now).map((c) => [c.path, c.from, c.to])).toEqual([['targets.in_flight.value', '', '8'], ['mode.kind', 'on', 'advisory']])
})

test('changes are laid over what was overridden, which stays as it was', () => {
  const doc = { max_instances: 6, mode: 'advisory', signals: { queue: { formula: '1' } } }
  const form = { ...filled(now), max_instances: '9', cooldown_period: '30s', 'mode.kind': 'up-only' }
  expect(overlay(doc, changes(form, now))).toEqual({ max_instances: 9, mode: { kind: 'up-only' }, cooldown_period: '30s', signals: { queue: { formula: '1' } } })
  expect(doc).toEqual({ max_instances: 6, mode: 'advisory', signals: { queue: { formula: '1' } } })
})

test('what is wrong stands with its field', () => {
  const wrong = problems({ ...filled(now), min_instances: '9', max_instances: '', cooldown_period: 'soon', 'scale_up_threshold.cpu_percent': '101', changes_per_hour: '1.5' }, now)
  expect(Object.keys(wrong).sort()).toEqual(['changes_per_hour', 'cooldown_period', 'max_instances', 'min_instances', 'scale_up_threshold.cpu_percent'].sort())
  expect(check(fields.find((f) => f.path === 'down.hold')!, '1m30s', '')).toBe('')
})

test('a refusal finds its field by whatever path it names', () => {
  expect(fieldOf('scaling_config.max_instances')).toBe('max_instances')
  expect(fieldOf('scaling.scale_up_threshold.cpu_percent')).toBe('scale_up_threshold.cpu_percent')
  expect(fieldOf('functions.shop.scaling.capacity')).toBe('capacity.concurrency')
  expect(fieldOf('days')).toBeUndefined()
})
