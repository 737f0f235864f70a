// A run as it unfolds: its moments as series on one time axis, its faults as spans, its result in words.
import type { Schemas } from '../../lib/api'
import { duration, number, percent } from '../../lib/format'
import type { Span } from '../../parts/Chart.svelte'

export type Run = Schemas['RunsRun']
export type Moment = Omit<Schemas['RunsMoment'], '$schema'>
export type Second = Schemas['RunsSecond']

export const over = (r: { state: string }) => r.state !== 'queued' && r.state !== 'running'

/** Adds moments, each once, in order; the last so many are kept. */
export function add(list: Moment[], news: Moment[], kept = 4000): Moment[] {
  const last = list.at(-1)?.seq ?? 0
  const fresh = news.filter((m) => m.seq > last)
  return fresh.length ? [...list, ...fresh].slice(-kept) : list
}

export type Series = { at: number[]; seconds: Second[] }

/** The figures of each second, on this machine's clock. A second cut short at the end says nothing about a rate. */
export function series(moments: Moment[]): Series {
  const list = moments.filter((m) => m.figures && m.figures.seconds >= 0.5)
  return { at: list.map((m) => new Date(m.at).getTime() / 1000), seconds: list.map((m) => m.figures!) }
}

const began = (m: Moment) => new Date(m.at).getTime() / 1000

/** When which fault was in force; one that is still is until now. */
export function faults(moments: Moment[], now: number): Span[] {
  const list: Span[] = []
  const open = new Map<string, Span[]>()
  for (const m of moments) {
    const label = m.text ?? ''
    if (m.kind === 'fault') {
      const span = { from: began(m), to: now, label }
      list.push(span)
      open.set(label, [...(open.get(label) ?? []), span])
    } else if (m.kind === 'reverted') {
      const span = open.get(label)?.shift()
      if (span) span.to = began(m)
    }
  }
  return list
}

/** The faults in a few sentences, for those who do not see the shading. */
export function told(spans: Span[], at: (x: number) => string): string[] {
  const by = new Map<string, Span[]>()
  for (const s of spans) by.set(s.label, [...(by.get(s.label) ?? []), s])
  return [...by].map(([label, list]) => {
    const whole = list.reduce((sum, s) => sum + s.to - s.from, 0)
    return `${label}: ${list.length === 1 ? '' : `${list.length} times, `}from ${at(list[0]!.from)}, ${duration(whole * 1000)} in all`
  })
}

export type Objective = { text: string; value: string; met: boolean; note?: string | undefined }
export type Result = {
  objectives: Objective[]
  facts: { label: string; value: string }[]
  steps: Step[]
  score?: { total: number; zero: string; parts: { figure: string; points: number; weight: number }[] } | undefined
}
export type Step = { phase: string; rate: number; good_rate: number; failed: number; p50: number; p99: number; broke: string }

type Outcome = { text: string; met: boolean; measured?: number; why?: string; skipped?: boolean }
type Load = {
  verdict?: { generator?: string; objectives?: Objective[] }
  total?: { planned: number; ok: number; failed: number; error_ratio: number; response?: Record<string, number> }
  rate?: number
}
type Search = { sustainable_rate: number; high: number; confirmed: boolean; broke_first: string; recovered_after_seconds: number; steps?: Step[] }
type Drill = {
  about?: string; skipped?: string; steady?: Outcome[]; expect?: Outcome[]
  score?: { total: number; zero?: string; parts: { figure: string; points: number; weight: number }[] }
  requests?: { planned: number; failed: number; not_sent: number }; generator?: { verdict: string }
}

const fact = (label: string, value: string) => ({ label, value })

/** What is to be said of a report, whatever kind of run made it. */
export function result(report: unknown): Result | undefined {
  if (!report || typeof report !== 'object') return undefined
  if ('drills' in report) return drill((report.drills as Drill[])[0])
  if ('sustainable_rate' in report) return search(report as Search)
  if ('total' in report) return load(report as Load)
  return undefined
}

function load(r: Load): Result {
  const t = r.total!
  const p = (name: string) => duration(t.response?.[name])
  return {
    objectives: r.verdict?.objectives ?? [], steps: [],
    facts: [
      fact('Requests', `${number(t.planned)}, ${number(t.failed)} failed (${percent(t.error_ratio)})`), fact('Rate', number(r.rate) + '/s'),
      fact('Response time', `p50 ${p('p50')}, p90 ${p('p90')}, p99 ${p('p99')}, at most ${p('max')}`), fact('Generator', r.verdict?.generator ?? '–'),
    ],
  }
}

function search(r: Search): Result {
  const facts = [fact('Sustained', r.sustainable_rate > 0 ? `${number(r.sustainable_rate)}/s${r.confirmed ? ', confirmed' : ''}` : 'no rate that was tried')]
  facts.push(fact('Broke first', r.broke_first === 'nothing' || !r.broke_first ? 'nothing up to the highest rate that was tried' : `${r.broke_first}, at ${number(r.high)}/s`))
  if (r.recovered_after_seconds > 0) facts.push(fact('Well again after the overload', duration(r.recovered_after_seconds * 1000)))
  return { objectives: [], facts, steps: r.steps ?? [] }
}

const shares = /^(availability|gets)/
const times = /^(detect|failover|recover|open|close|p99|p50|refusal)/

/** A figure of a drill as people read it. */
export function measured(o: Outcome): string {
  if (o.measured === undefined) return 'not measured'
  if (shares.test(o.text)) return `${+(o.measured * 100).toFixed(2)} %` // 99.5 % is not 100 %
  return times.test(o.text) ? duration(o.measured * 1000) : number(o.measured)
}

function drill(d: Drill | undefined): Result | undefined {
  if (!d) return undefined
  const outcome = (before: string) => (o: Outcome): Objective => ({
    text: before + o.text, value: measured(o), met: o.met || o.skipped === true, note: o.skipped ? `Counts neither way: ${o.why}` : o.why,
  })
  const facts = d.requests ? [fact('Requests', `${number(d.requests.planned)}, ${number(d.requests.failed)} failed`)] : []
  if (d.skipped) facts.push(fact('Skipped', d.skipped))
  if (d.generator?.verdict) facts.push(fact('Generator', d.generator.verdict))
  return {
    objectives: [...(d.steady ?? []).map(outcome('before: ')), ...(d.expect ?? []).map(outcome(''))], facts, steps: [],
    score: d.score && { total: d.score.total, zero: d.score.zero ?? '', parts: d.score.parts },
  }
}

/** How long a run took, or has taken so far. */
export const length = (r: Run, now: number) => duration((r.ended ? new Date(r.ended).getTime() : now) - new Date(r.begun).getTime())

const shapes: Record<string, string> = { load: 'Load test', stress: 'Stress test', drill: 'Drill' }
export const kindOf = (r: { kind: string }) => shapes[r.kind] ?? r.kind

/** A run in a few words: what was asked for. */
export function asked(r: Run): string {
  const p = r.parameters
  const parts = [p.rate ? `${number(p.rate)}/s` : '', p.users ? `${number(p.users)} users` : '', p.suite ?? '', p.max ? `up to ${number(p.max)}/s` : '', p.duration ?? '', p.long ? 'long' : '']
  return [...parts, ...(p.objectives ?? [])].filter(Boolean).join(', ')
}

/** For each time the point whose step it falls into, by the ends of the steps; -1: none. */
export function laid(at: number[], ends: number[], step: number): number[] {
  let i = 0
  return at.map((t) => {
    while (i < ends.length && ends[i]! < t) i++
    return i < ends.length && ends[i]! - step <= t ? i : -1
  })
}
