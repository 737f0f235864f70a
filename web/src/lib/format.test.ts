import { describe, expect, test } from 'vitest'
import { ago, bytes, duration, figures, number, percent } from './format'

describe('figures are short and never lie about being unknown', () => {
  test.each([
    [0, '0'], [0.004, '0.00'], [0.0951, '0.1'], [3.21, '3.2'], [42.4, '42'], [1234.5, '1,235'], [null, '–'], [NaN, '–'],
  ])('number %s', (x, want) => expect(number(x)).toBe(want))
  test.each([
    [0.4, '0.4 ms'], [999.4, '999 ms'], [999.6, '1.0 s'], [1500, '1.5 s'], [59_940, '60 s'], [59_960, '1 min'], [90_000, '1 min 30 s'],
    [7_380_000, '2 h 3 min'], [86_400_000, '1 d'], [undefined, '–'],
  ])('duration %s', (x, want) => expect(duration(x)).toBe(want))
  test.each([
    [1536, '1.5 KiB'], [0, '0 B'], [31 * 2 ** 20, '31 MiB'], [undefined, '–'],
  ])('bytes %s', (x, want) => expect(bytes(x)).toBe(want))
  test('figures by name, with their units', () => {
    expect(figures({ error_rate_percent: 12.5, limit: 10, event_loop_lag_ms: 1500, window_s: 90, rss_bytes: 2048 })).toBe('error rate 13 % · limit 10 · event loop lag 1.5 s · window 1 min 30 s · rss 2 KiB')
    expect(figures()).toBe('')
  })
  test('percent', () => expect(percent(0.0123)).toBe('1.2 %'))
  test.each([
    [undefined, 'never'], [1_000, '9.0 s ago'], [70_000, 'in 1 min'], [10_300, 'now'],
  ])('ago %s', (at, want) => expect(ago(at, 10_000)).toBe(want))
})
