// What a function did over time, in one shape whether it comes from the last minutes or from the history.
import { get, name, type Schemas } from './api'

type Values = (number | null)[]

export type Series = {
  /** Seconds since 1970. */
  at: number[]
  /** Seconds a point stands for. */
  step: number
  rate: Values
  /** Share answered with 5xx, 0 to 1. */
  errors: Values
  p50: Values
  p95: Values
  p99: Values
  cpu: Values
  memory: Values
  instances: Values
  /** The rest is known of the last quarter of an hour only. */
  desired?: Values
  inFlight?: Values
  waiting?: Values
  retries?: Values
  /** Requests per second by what became of them. */
  classes?: Record<string, Values>
  statuses?: Record<string, Values>
  /** bounds: where buckets end, ms; counts: of each point, one bucket more than bounds. */
  heat?: { bounds: number[]; counts: number[][] }
}

/** The windows that can be looked at, by the word in a link. The first is made of points each 5 s. */
export const ranges: Record<string, { label: string; seconds: number; step: number }> = {
  '15m': { label: '15 min', seconds: 900, step: 5 },
  '1h': { label: '1 h', seconds: 3600, step: 60 },
  '6h': { label: '6 h', seconds: 6 * 3600, step: 120 },
  '24h': { label: '24 h', seconds: 86400, step: 600 },
  '7d': { label: '7 d', seconds: 7 * 86400, step: 3600 },
  '14d': { label: '14 d', seconds: 14 * 86400, step: 7200 },
}

/** The word of a link, or the shortest window for anything else. */
export const rangeOf = (word: string | null) => (word && ranges[word] ? word : '15m')

/** Asks for a window of a function that ends now. */
export async function series(fn: string, range: string, now = Date.now()): Promise<Series> {
  const r = ranges[range]!
  if (range === '15m') return ofRecent(await get<Lately>(`/api/v1/functions/${name(fn)}/recent`))
  const from = new Date(now - r.seconds * 1000).toISOString()
  return ofHistory(await get<Schemas['Past']>(`/api/v1/functions/${name(fn)}/history`, { from, step: r.step }))
}

/** The last quarter of an hour as the server keeps it. */
export type Lately = {
  step_seconds: number
  latency_bounds_ms: number[] | null
  points: LatelyPoint[] | null
}

export type LatelyPoint = {
  at: string
  rate: number
  classes: Record<string, number>
  retries: number
  p50_ms?: number
  p95_ms?: number
  p99_ms?: number
  latency?: number[] | null
  in_flight: number
  waiting: number
  instances: { active: number; recovering: number; inactive: number; failed: number }
  desired?: number
  cpu_percent?: number
  memory_percent?: number
}

const statuses = ['active', 'recovering', 'inactive', 'failed'] as const

export function ofRecent(lately: Lately): Series {
  const points = lately.points ?? []
  const bounds = lately.latency_bounds_ms ?? []
  const all = (f: (p: LatelyPoint) => number | undefined): Values => points.map((p) => f(p) ?? null)
  const kinds = Object.keys(points[0]?.classes ?? {})
  return {
    at: points.map((p) => Date.parse(p.at) / 1000), step: lately.step_seconds,
    rate: all((p) => p.rate), errors: all((p) => (p.rate > 0 ? ((p.classes['5xx'] ?? 0) + (p.classes['failed'] ?? 0)) / p.rate : 0)),
    p50: all((p) => p.p50_ms), p95: all((p) => p.p95_ms), p99: all((p) => p.p99_ms),
    cpu: all((p) => p.cpu_percent), memory: all((p) => p.memory_percent),
    instances: all((p) => statuses.reduce((n, s) => n + p.instances[s], 0)),
    desired: all((p) => p.desired), inFlight: all((p) => p.in_flight), waiting: all((p) => p.waiting), retries: all((p) => p.retries),
    classes: Object.fromEntries(kinds.map((k) => [k, all((p) => p.classes[k])])),
    statuses: Object.fromEntries(statuses.map((s) => [s, all((p) => p.instances[s])])),
    heat: { bounds, counts: points.map((p) => p.latency ?? bounds.map(() => 0).concat(0)) },
  }
}

export function ofHistory(past: Schemas['Past']): Series {
  const points = past.points ?? []
  const all = (f: (p: Schemas['HistoryPoint']) => number | undefined): Values => points.map((p) => f(p) ?? null)
  const asked = (f: (p: Schemas['HistoryPoint']) => number) => all((p) => (p.requests_per_second > 0 ? f(p) : undefined))
  return {
    at: points.map((p) => Date.parse(p.at) / 1000), step: past.step_seconds,
    rate: all((p) => p.requests_per_second), errors: all((p) => p.error_percent / 100),
    p50: asked((p) => p.p50_ms), p95: asked((p) => p.p95_ms), p99: asked((p) => p.p99_ms),
    cpu: all((p) => p.cpu_percent), memory: all((p) => p.memory_percent), instances: all((p) => p.instances),
  }
}
