// How a breaker changed, as stretches of time.
export type Change = { at: string; from: string; to: string; reason?: string }

export type Stretch = { state: string; from: number; to: number; reason: string }

/** Stretches between two moments in ms, the oldest first; state is what it was at the beginning. */
export function stretches(from: number, to: number, state: string, changes: Change[]): Stretch[] {
  const list: Stretch[] = []
  let [since, is, why] = [from, state, '']
  for (const c of changes) {
    const at = Math.min(Math.max(Date.parse(c.at), from), to)
    if (at > since) list.push({ state: is, from: since, to: at, reason: why })
    ;[since, is, why] = [at, c.to, c.reason ?? '']
  }
  if (to > since) list.push({ state: is, from: since, to, reason: why })
  return list
}

/** How long it was in each state, ms. */
export function lengths(list: Stretch[]): Record<string, number> {
  const sum: Record<string, number> = {}
  for (const s of list) sum[s.state] = (sum[s.state] ?? 0) + s.to - s.from
  return sum
}
