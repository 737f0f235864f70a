// What is to be known about events to show them: which fit a filter, where they lead, how grave they are.
import type { Schemas } from '../../lib/api'
import type { Tone } from '../../lib/tone'

export type Seen = Omit<Schemas['EventEvent'], '$schema'> & { id: string }
export type Filter = { kind: string; function: string; text: string }

/** How many are kept in the page; Holdfast itself keeps more. */
export const kept = 2000

/** Adds one, the newest first; what comes twice is there once. */
export function add(list: Seen[], e: Seen): Seen[] {
  if (list[0]?.id === e.id || list.some((x) => x.id === e.id)) return list
  return [e, ...list].slice(0, kept)
}

export function fits(e: Seen, f: Filter): boolean {
  if (f.kind && e.kind !== f.kind) return false
  if (f.function && e.function !== f.function) return false
  const text = f.text.toLowerCase()
  return !text || [e.kind, e.function, e.instance, e.from, e.to, e.source, e.reason].some((part) => part?.toLowerCase().includes(text))
}

const runID = /\b\d{8}-\d{6}-[0-9a-f]{8}\b/

/** The place of the page that says more, and what to call it. */
export function link(e: Seen): { to: string; label: string } | undefined {
  const run = e.kind === 'run' ? runID.exec(e.reason ?? '')?.[0] : undefined
  if (run) return { to: '/runs/' + run, label: 'run' }
  if (e.kind === 'alert') return { to: '/alerts', label: 'alerts' }
  if (!e.function) return undefined
  const name = encodeURIComponent(e.function)
  return e.kind === 'scaling' ? { to: '/scaling/' + name, label: 'scaling' } : { to: '/functions/' + name, label: e.function }
}

const grave = /^(failed|inactive|open|incident|critical|crashed|ejected|invalid)$/
const well = /^(active|closed|running|passed|ready|resolved|back|ok|ordinary)$/

/** How grave it is, by what became of the thing. */
export function tone(e: Seen): Tone {
  const to = e.to ?? ''
  if (e.source === 'lifecycle') return '' // as ordered: an instance that was scaled in is inactive, and well
  if (e.kind === 'instance_ejected' || e.kind === 'ejection_refused' || grave.test(to)) return 'bad'
  if (e.kind === 'anomaly' || e.kind === 'panic' || e.kind === 'platform') return well.test(to) || to === '' ? '' : 'warn'
  if (e.kind === 'instance_back' || e.kind === 'recovery' || well.test(to)) return 'good'
  return to === 'warning' || to === 'half_open' || to === 'recovering' ? 'warn' : ''
}
