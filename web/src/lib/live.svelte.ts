// What is true now: one stream of server-sent events for the whole page. The server sends everything once and then,
// each second, the rows that changed. Nothing here keeps what the server forgot.
import { search } from './api'

export type State = 'ok' | 'warning' | 'incident' | 'stopped' | 'zero'

export type InstanceCounts = { total: number; available: number; active: number; recovering: number; inactive: number; failed: number }

export type FunctionLive = {
  name: string
  state: State
  now: string
  breaker: string
  breaker_next_attempt?: string
  instances: InstanceCounts
  desired: number | null
  min_instances?: number
  max_instances?: number
  rate: number
  p50_ms: number
  p95_ms: number
  p99_ms: number
  error_rate: number
  in_flight: number
  waiting: number
  platform?: string
  strategy: string
  last_request?: string
  held?: '' | 'paused' | 'pinned'
}

export type InstanceLive = {
  id: string
  status: string
  reason?: string
  since?: string
  url?: string
  in_rotation: boolean
  ejected_until?: string
  ejections: number
  score: number
  weight: number
  in_flight: number
  rate: number
  p50_ms: number
  p95_ms: number
  errors: number
  error_rate: number
  cpu_percent?: number
  memory_bytes?: number
  memory_limit_bytes?: number
  version?: string
  zone?: string
  draining?: boolean
  slow_start?: number
}

export type Alert = {
  id: string
  fingerprint: string
  rule: string
  severity: 'critical' | 'warning' | 'info'
  function?: string
  instance?: string
  summary: string
  numbers?: Record<string, number>
  cause?: string
  next?: string
  link?: string
  began: string
  ended?: string
}

export type Classes = { '2xx': number; '3xx': number; '4xx': number; '5xx': number; failed: number }

type Message = {
  at: string
  version?: string
  node?: string
  ready?: boolean
  draining?: boolean
  problems?: string[]
  alerts?: Alert[]
  functions?: FunctionLive[]
  removed?: string[]
  instances?: InstanceLive[]
  instances_removed?: string[]
  classes?: Classes
  retries?: number
  budget_available?: number
  sessions?: number
}

/** Without news for this long, the page says so. */
export const staleAfter = 5_000

const refusedFor = 3_000

/** Rows by key, in the order of the keys; rows that did not change stay the same objects. */
export function merge<T>(rows: T[], changed: T[], removed: string[], key: (row: T) => string): T[] {
  if (!changed.length && !removed.length) return rows
  const all = new Map(rows.map((r) => [key(r), r]))
  for (const r of removed) all.delete(r)
  let added = false
  for (const r of changed) {
    added ||= !all.has(key(r))
    all.set(key(r), r)
  }
  const list = [...all.values()]
  return added ? list.sort((a, b) => (key(a) < key(b) ? -1 : 1)) : list
}

export class Live {
  functions = $state.raw<FunctionLive[]>([])
  instances = $state.raw<InstanceLive[]>([])
  alerts = $state.raw<Alert[]>([])
  problems = $state.raw<string[]>([])
  about = $state.raw<Message>({ at: '' })
  /** When the last news came, by the clock of this browser; 0: never. */
  heard = $state(0)
  connected = $state(false)
  paused = $state(false)
  #source: EventSource | undefined
  #query = ''
  /** Whether the server refused the last stream; it is asked again. */
  refused = $state(false)
  #lost: () => void
  #again: ReturnType<typeof setTimeout> | undefined

  /** lost is called when the stream was refused, as when a session is over or too many are open. */
  constructor(lost: () => void = () => {}) {
    this.#lost = lost
  }

  /** Follows everything, and the instances of a function if one is named. */
  follow(fn = '') {
    const query = search({ function: fn })
    if (this.#source && query === this.#query) return
    this.stop()
    this.#query = query
    this.instances = []
    const source = (this.#source = new EventSource('/api/v1/live' + query))
    source.onopen = () => {
      this.connected = true
      this.refused = false
    }
    source.onerror = () => {
      this.connected = false
      if (source.readyState !== EventSource.CLOSED || source !== this.#source) return
      // A browser gives a refused stream up for good; who is signed in wants it again.
      this.stop()
      this.refused = true
      this.#lost()
      this.#again = setTimeout(() => this.follow(fn), refusedFor)
    }
    source.addEventListener('all', (e) => this.#take(e as MessageEvent<string>, true))
    source.addEventListener('change', (e) => this.#take(e as MessageEvent<string>, false))
  }

  stop() {
    clearTimeout(this.#again)
    this.#source?.close()
    this.#source = undefined
    this.connected = false
  }

  /** Stands still, or goes on with everything anew. */
  pause(still: boolean) {
    this.paused = still
    const fn = new URLSearchParams(this.#query).get('function') ?? ''
    this.stop()
    if (!still) this.follow(fn)
  }

  #take(e: MessageEvent<string>, whole: boolean) {
    const m = JSON.parse(e.data) as Message
    this.heard = Date.now()
    this.connected = true
    this.functions = merge(whole ? [] : this.functions, m.functions ?? [], m.removed ?? [], (f) => f.name)
    this.instances = merge(whole ? [] : this.instances, m.instances ?? [], m.instances_removed ?? [], (i) => i.id)
    if (m.alerts || whole) this.alerts = m.alerts ?? []
    if (m.problems || whole) this.problems = m.problems ?? []
    this.about = whole ? m : { ...this.about, ...m }
  }
}
