// What the page knows about Holdfast itself: figures of the last minutes, and what is worth a word.
import type { Schemas } from '../../lib/api'
import { number } from '../../lib/format'

export type Own = Schemas['OwnHealth']
export type Figures = Schemas['OwnPerformance']
export type Sample = { at: number; heap: number; rss: number | null; goroutines: number; lag: number | null; cpu: number | null }

/** An hour at one every 5 s. */
export const kept = 720

export function sample(at: number, own: Own, figures: Figures | undefined): Sample {
  return {
    at, heap: own.heap_bytes, rss: own.rss_bytes || null, goroutines: own.goroutines,
    lag: figures?.scheduler_lag_ms ?? null, cpu: figures?.cpu_percent ?? null,
  }
}

export const add = (list: Sample[], s: Sample): Sample[] => [...list, s].slice(-kept)

export type Worry = { tone: 'warn' | 'bad'; text: string }

/** What somebody should look into, the worst first: what the store says, and what the monitor found. Empty: nothing. */
export function worries(own: Own, anomalies: Schemas['Anomaly'][] = []): Worry[] {
  const list: Worry[] = []
  const say = (tone: Worry['tone'], text: string) => list.push({ tone, text })
  const s = own.store
  if (s?.state === 'down') say('bad', 'The store is down: ' + (s.reason || 'nobody says why') + '. Traffic flows on, and what is to be kept waits.')
  if (s && s.only_in_memory > 0) say('bad', `${number(s.only_in_memory)} facts are in memory only and would be lost with the process: ${s.spool_reason || 'the disk refuses them'}.`)
  const lost = s ? Object.values(s.dropped ?? {}).reduce((sum, n) => sum + n, 0) : 0
  if (lost > 0) say('warn', `${number(lost)} facts were dropped because a bound was reached.`)
  if (s && s.rejected > 0) say('warn', `${number(s.rejected)} facts were refused by the store for good.`)
  if (s && s.spool_reason && !s.only_in_memory) say('warn', 'The spool: ' + s.spool_reason)
  for (const a of anomalies) if (!a.function_name) say(a.rule === 'memory' ? 'bad' : 'warn', a.text)
  for (const u of own.unfit_overrides ?? []) say('warn', `${u.path} was set through the API and is not in force: ${u.problem}`)
  return list.sort((a, b) => Number(b.tone === 'bad') - Number(a.tone === 'bad'))
}
