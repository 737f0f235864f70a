// Routes, and how instances are found among many.
import type { InstanceLive } from '../../lib/live.svelte'
import type { Value } from '../../parts/table'

export type Route = { host: string; path: string; strip: string }

/** Routes as the values of the configuration say them: routes[0].path and so on. */
export function routesOf(values: { path: string; value: string }[]): Route[] {
  const routes: Route[] = []
  for (const v of values) {
    const m = /\.routes\[(\d+)\]\.(host|path|strip_prefix)$/.exec(v.path)
    if (!m) continue
    const route = (routes[Number(m[1])] ??= { host: '', path: '', strip: '' })
    route[m[2] === 'strip_prefix' ? 'strip' : (m[2] as 'host' | 'path')] = plain(v.value)
  }
  return routes.filter(Boolean)
}

/** A value without the quotes a file would need. */
export function plain(value: string): string {
  if (!value.startsWith('"')) return value
  try {
    return String(JSON.parse(value))
  } catch {
    return value
  }
}

const order = ['failed', 'recovering', 'inactive', 'active']

export const rank = (i: InstanceLive) => (i.ejected_until ? -1 : order.indexOf(i.status))

export function valueOf(i: InstanceLive, column: string): Value {
  switch (column) {
    case 'status': return rank(i)
    case 'rate': return i.rate
    case 'score': return i.score
    case 'in_flight': return i.in_flight
    case 'p50': return i.p50_ms || null
    case 'p95': return i.p95_ms || null
    case 'errors': return i.error_rate
    case 'cpu': return i.cpu_percent ?? null
    case 'memory': return i.memory_bytes ?? null
    case 'weight': return i.weight
    case 'where': return [i.zone, i.version].filter(Boolean).join(' ') || null
    default: return i.id
  }
}

export function found(list: InstanceLive[], text: string): InstanceLive[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  if (!words.length) return list
  return list.filter((i) => {
    const all = [i.id, i.status, i.reason, i.url, i.zone, i.version, i.draining ? 'draining drained' : '', i.ejected_until ? 'ejected' : ''].join(' ').toLowerCase()
    return words.every((w) => all.includes(w))
  })
}

/** Why an instance gets less than its share, in words; empty: it does not. */
export function standing(i: InstanceLive, left: string): string {
  if (i.draining) return 'drained by order'
  if (i.ejected_until) return `ejected, back in ${left}` + (i.ejections > 1 ? ` (${i.ejections} times lately)` : '')
  if (i.slow_start !== undefined && i.slow_start > 0 && i.slow_start < 1 && i.in_rotation) return `warming up, ${Math.round(i.slow_start * 100)} % of its share`
  return ''
}
