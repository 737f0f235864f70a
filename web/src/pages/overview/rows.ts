// Which functions the overview shows, in which order, and what it says above them.
import type { Alert, FunctionLive, State } from '../../lib/live.svelte'
import type { Value } from '../../parts/table'

/** From what must be looked at first to what need not. */
export const states: State[] = ['incident', 'warning', 'stopped', 'zero', 'ok']

export const stateWords: Record<State, string> = { incident: 'incident', warning: 'warning', stopped: 'stopped', zero: 'at zero', ok: 'ok' }

export type Sums = Record<State, number> & {
  all: number; rate: number; failing: number; in_flight: number; waiting: number; available: number; instances: number
}

export function sums(functions: FunctionLive[]): Sums {
  const s: Sums = { incident: 0, warning: 0, stopped: 0, zero: 0, ok: 0, all: functions.length, rate: 0, failing: 0, in_flight: 0, waiting: 0, available: 0, instances: 0 }
  for (const f of functions) {
    s[f.state]++
    s.rate += f.rate
    s.failing += f.rate * f.error_rate
    s.in_flight += f.in_flight
    s.waiting += f.waiting
    s.available += f.instances.available
    s.instances += f.instances.total
  }
  return s
}

/** The state of everything in a sentence. */
export function verdict(s: Sums): string {
  if (s.all === 0) return 'No function is configured'
  const parts: string[] = []
  if (s.incident) parts.push(count(s.incident, 'function has an incident', 'functions have incidents'))
  if (s.warning) parts.push(s.warning + (s.incident ? ' to look at' : count(s.warning, ' function to look at', ' functions to look at', '')))
  if (!parts.length) return s.stopped || s.zero ? 'Nothing is wrong' : 'All is well'
  return parts.join(', ')
}

function count(n: number, one: string, more: string, lead = `${n} `): string {
  return lead + (n === 1 ? one : more)
}

const figures: Record<string, (f: FunctionLive) => number> = {
  rate: (f) => f.rate, p50: (f) => f.p50_ms, p95: (f) => f.p95_ms, p99: (f) => f.p99_ms, errors: (f) => f.error_rate * 100,
  inflight: (f) => f.in_flight, waiting: (f) => f.waiting, instances: (f) => f.instances.total, available: (f) => f.instances.available, failed: (f) => f.instances.failed,
}

/** What a number can be asked about in the search, such as p95>200. */
export const searchable = Object.keys(figures)

/** What is wrong with a search; empty: nothing. */
export function searchFault(text: string): string {
  for (const word of words(text)) {
    const m = /^([a-z0-9]+)([<>])(.*)$/.exec(word)
    if (!m) continue
    if (!figures[m[1]!]) return `There is no figure "${m[1]}". There are ${searchable.join(', ')}.`
    if (m[3] === '' || !Number.isFinite(Number(m[3]))) return `${m[1]}${m[2]} needs a number, such as ${m[1]}${m[2]}100.`
  }
  return ''
}

const words = (text: string) => text.toLowerCase().split(/\s+/).filter(Boolean)

function matches(f: FunctionLive, word: string): boolean {
  const m = /^([a-z0-9]+)([<>])(.*)$/.exec(word)
  if (m) {
    const figure = figures[m[1]!]?.(f)
    const limit = Number(m[3])
    if (figure === undefined || m[3] === '' || Number.isNaN(limit)) return true // the field says what is wrong
    return m[2] === '>' ? figure > limit : figure < limit
  }
  return [f.name, f.now, f.state, stateWords[f.state], f.breaker, f.platform ?? '', f.strategy, f.held ?? ''].some((t) => t.toLowerCase().includes(word))
}

/** Those that have all words, and one of the states if any is named. */
export function filtered(functions: FunctionLive[], text: string, only: string[]): FunctionLive[] {
  const all = words(text)
  if (!all.length && !only.length) return functions
  return functions.filter((f) => (!only.length || only.includes(f.state)) && all.every((w) => matches(f, w)))
}

/** What rows are sorted by. */
export function valueOf(f: FunctionLive, column: string): Value {
  switch (column) {
    case 'state': return states.indexOf(f.state)
    case 'breaker': return ['open', 'half_open', 'closed', 'off'].indexOf(f.breaker)
    case 'instances': return f.instances.total
    case 'rate': return f.rate
    case 'p50': return f.p50_ms || null
    case 'p95': return f.p95_ms || null
    case 'p99': return f.p99_ms || null
    case 'errors': return f.rate ? f.error_rate : null
    case 'in_flight': return f.in_flight + f.waiting
    case 'desired': return f.desired
    case 'now': return f.now || null
    default: return f.name
  }
}

/** more: so many other instances of the function have the same. */
export type Incident = Pick<Alert, 'summary' | 'severity'> & Partial<Alert> & { key: string; more?: number }

const severities = ['critical', 'warning', 'info']
// What an alert and a problem are both about, when they say the same.
const topics = [/breaker/, /no.instance|instances? (is )?(available|failed)|instance_failed/, /panic/, /retry budget/, /shutting down/, /platform/]

// Without figures and marks: the figures of one move on before those of the other.
const gist = (text: string) => text.toLowerCase().replace(/(?<![-\w.])\d[\d.]*/g, '').replace(/[^a-z0-9-]+/g, ' ').trim()

/** Alerts and the problems no alert speaks of yet, the worst and then the newest first. */
export function incidents(alerts: Alert[], problems: string[]): Incident[] {
  const list: Incident[] = alerts.filter((a) => !a.ended).map((a) => ({ ...a, key: a.id }))
  const told = alerts.map((a) => ({ fn: a.function, text: gist(`${a.rule} ${a.summary}`) }))
  for (const p of problems) {
    const [, fn = '', rest = p] = /^([a-z0-9][a-z0-9_-]*): (.*)$/s.exec(p) ?? []
    const text = gist(rest)
    if (told.some((t) => (t.fn ?? '') === fn && (t.text.includes(text) || topics.some((topic) => topic.test(text) && topic.test(t.text))))) continue
    list.push({ key: p, summary: rest.replace(/ \(holdfast [^)]*\)/, ''), severity: 'warning', ...(fn && { function: fn }) })
  }
  list.sort((a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity) || (b.began ?? 'z').localeCompare(a.began ?? 'z'))
  const first = new Map<string, Incident>()
  for (const i of list) {
    const same = i.instance ? [i.rule, i.function, i.severity].join('\n') : i.key
    const one = first.get(same)
    first.set(same, one ? { ...one, more: (one.more ?? 0) + 1 } : i)
  }
  return [...first.values()]
}

/** What Holdfast does about what is wrong with a function, in a sentence; empty: nothing is. */
export function doing(f: FunctionLive | undefined): string {
  if (!f) return ''
  if (f.state === 'stopped') return 'does nothing: somebody stopped it'
  if (f.breaker === 'open') return 'keeps requests away, so that nobody waits in vain and the instances can recover; ' + (f.now.startsWith('breaker open, ') ? f.now.slice('breaker open, '.length) : 'then lets one try')
  if (f.breaker === 'half_open') return 'lets a few requests try; if they succeed, all flow again'
  const { available, failed, recovering } = f.instances
  if (!available && (failed || recovering)) return 'checks the instances all the time and sends traffic as soon as one answers'
  if (/^starting /.test(f.now)) return `is ${f.now}; ${others(available)}`
  if (failed) return `sends traffic to the ${available} that ${available === 1 ? 'is' : 'are'} left, checks ${failed === 1 ? 'the failed one' : 'the failed ones'} and puts ${failed === 1 ? 'it' : 'them'} back when ${failed === 1 ? 'it answers' : 'they answer'}`
  if (f.now.endsWith('ejected')) return `gives it no requests for a while; ${others(available)}`
  if (/^(going|rolling|traffic|nothing is known)/.test(f.now)) return f.now
  return ''
}

const others = (available: number) => (available ? `${available === 1 ? 'one takes' : available + ' take'} the traffic meanwhile` : 'requests wait meanwhile')

/** A summary without the name of its function, which stands beside it. */
export const bare = (summary: string, fn = '') => (fn && summary.startsWith(fn + ': ') ? summary.slice(fn.length + 2) : summary)

/** Desired against actual, in words. */
export function wanted(f: FunctionLive): string {
  if (f.desired === null || f.desired === undefined) return 'listed'
  const bounds = f.max_instances ? ` (${f.min_instances ?? 0} to ${f.max_instances})` : ''
  return `${f.desired}${bounds}`
}
