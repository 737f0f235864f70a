// A request as bars on its own time: what waited, what was tried.
import type { Schemas } from '../../lib/api'

export type Bar = {
  label: string
  /** Where it begins and how long it is, as shares of the whole, 0 to 1. */
  from: number
  share: number
  ms: number
  tone: 'good' | 'bad' | 'wait'
  about: string
}

export function bars(r: Schemas['Request']): Bar[] {
  const attempts = r.attempts ?? []
  const whole = Math.max(r.took_ms, r.queued_ms, ...attempts.map((a) => a.start_ms + a.took_ms), 0.001)
  const bar = (label: string, start: number, ms: number, tone: Bar['tone'], about = ''): Bar => ({ label, from: start / whole, share: ms / whole, ms, tone, about })
  const list = r.queued_ms > 0 ? [bar('queued', 0, r.queued_ms, 'wait')] : []
  let end = r.queued_ms
  for (const [n, a] of attempts.entries()) {
    if (n > 0 && a.start_ms - end > 0.05) list.push(bar('pause before another try', end, a.start_ms - end, 'wait'))
    end = a.start_ms + a.took_ms
    const good = !a.reason && (a.status ?? 0) > 0 && a.status! < 500
    const about = [a.status || '', a.reason ?? '', a.retried ? 'tried again' : (a.retry ?? '').replaceAll('_', ' ')].filter(Boolean).join(', ')
    list.push(bar(a.instance ? `on ${a.instance}` : `attempt ${n + 1}`, a.start_ms, a.took_ms, good ? 'good' : 'bad', about))
  }
  if (!attempts.length) list.push(bar(r.local ? 'answered by Holdfast' : 'no attempt', r.queued_ms, Math.max(r.took_ms - r.queued_ms, 0), r.failed ? 'bad' : 'good', r.reason ?? ''))
  return list
}

/** What a client got, in a word. */
export function outcome(r: Schemas['Request']): 'failed' | 'refused' | 'ok' {
  if (r.failed) return 'failed'
  return r.status >= 400 ? 'refused' : 'ok'
}
