import type { Schemas } from '../../lib/api'

/** Whether a token still opens anything. */
export function stateOf(t: Schemas['StoreToken'], now: number): 'active' | 'expired' | 'revoked' {
  if (t.revoked_at) return 'revoked'
  return t.expires_at && new Date(t.expires_at).getTime() <= now ? 'expired' : 'active'
}

/** How long a new token may live, in words and seconds. */
export const lifetimes = [
  ['1 day', 86_400],
  ['30 days', 30 * 86_400],
  ['90 days', 90 * 86_400],
  ['1 year', 365 * 86_400],
  ['for ever', 0],
] as const
