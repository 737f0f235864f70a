// How numbers and times are written, in one way everywhere.
const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })

/** 1234.5 -> 1,235; 3.21 -> 3.2; unknown -> – */
export function number(x: number | null | undefined): string {
  if (x === null || x === undefined || !Number.isFinite(x)) return '–'
  if (Math.abs(x) >= 100 || Number.isInteger(x)) return grouped.format(x)
  return x.toFixed(Math.abs(x) >= 10 ? 0 : Math.abs(x) >= 0.095 ? 1 : 2)
}

/** A share of 1: 0.0123 -> 1.2 % */
export const percent = (x: number | null | undefined) => (x === null || x === undefined ? '–' : number(x * 100) + ' %')

/** Milliseconds: 0.4 -> 0.4 ms; 1500 -> 1.5 s; 90000 -> 1 min 30 s */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return '–'
  if (ms < 999.5) return number(ms) + ' ms'
  const s = ms / 1000
  if (s < 59.95) return (s < 9.95 ? s.toFixed(1) : Math.round(s).toString()) + ' s'
  const whole = Math.round(s)
  if (whole < 3600) return pair(whole, 60, 'min', 's')
  if (whole < 86400) return pair(Math.round(whole / 60), 60, 'h', 'min')
  return pair(Math.round(whole / 3600), 24, 'd', 'h')
}

function pair(x: number, per: number, large: string, small: string): string {
  const rest = x % per
  return `${Math.floor(x / per)} ${large}` + (rest ? ` ${rest} ${small}` : '')
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

/** 1536 -> 1.5 KiB */
export function bytes(x: number | null | undefined): string {
  if (x === null || x === undefined) return '–'
  let i = 0
  for (; x >= 1024 && i < units.length - 1; i++) x /= 1024
  return `${number(x)} ${units[i]}`
}

const written: Record<string, (x: number) => string> = {
  ms: duration, s: (x) => duration(x * 1000), seconds: (x) => duration(x * 1000), bytes, percent: (x) => percent(x / 100),
}

/** Figures as the server names them, in words: event_loop_lag_ms 33 -> event loop lag 33 ms */
export const figures = (numbers: Record<string, number> = {}) =>
  Object.entries(numbers).map(([key, x]) => {
    const [, name, unit] = /^(.+)_([a-z]+)$/.exec(key) ?? []
    const write = written[unit ?? '']
    return `${(write ? name! : key).replaceAll('_', ' ')} ${(write ?? number)(x)}`
  }).join(' · ')

/** How long ago a moment was, or in how long it comes. */
export function ago(at: string | number | Date | undefined, now = Date.now()): string {
  if (!at) return 'never'
  const d = now - new Date(at).getTime()
  if (Math.abs(d) < 1000) return 'now'
  return d > 0 ? `${duration(d)} ago` : `in ${duration(-d)}`
}

const clockFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const dayFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit' })

/** The time of today, the day besides for other days. */
export function time(at: string | number | Date | undefined): string {
  if (!at) return '–'
  const d = new Date(at)
  return (d.toDateString() === new Date().toDateString() ? clockFormat : dayFormat).format(d)
}
