import { expect, test } from 'vitest'
import { chart, faultOfLength, hushed, type Standing } from './alerts'

const alert: Standing = {
  id: '1', fingerprint: 'f', rule: 'breaker_open', severity: 'critical', function: 'shop', summary: 's', began: '', since: '', state: 'firing', told: true,
}

test.each([
  [{}, ''],
  [{ told: false }, 'about to be told'],
  [{ state: 'pending', told: false }, 'not told yet: it must last'],
  [{ maintenance: 'nightly', told: false }, 'not told: maintenance nightly'],
  [{ inhibited_by: 'no_instance', silenced_by: 'x' }, 'not told: no instance explains it'],
] as [Partial<Standing>, string][])('why nobody is told: %o', (part, want) => expect(hushed({ ...alert, ...part })).toBe(want))

test('a link leads to this page, whatever address others reach it by', () => {
  expect(chart({ ...alert, link: 'https://example.com/admin/monitoring#/functions/shop?tab=charts' })).toBe('#/functions/shop?tab=charts')
  expect(chart(alert)).toBe('#/functions/shop')
  const { function: _, ...own } = alert
  expect(chart(own)).toBe('#/health')
})


test.each([['2h', true], ['1h30m', true], ['90', false], ['', false], ['soon', false]])('the length %s', (text, ok) => expect(faultOfLength(text) === '').toBe(ok))
