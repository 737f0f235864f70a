// Who sits before the page, and what they may do. The server decides; here it only says what to offer.
import { del, get, onSignedOut, post } from './api'

export type Role = 'viewer' | 'operator' | 'admin'
export type Who = { kind: string; name?: string; role?: Role; expires_at?: string; sign_in?: { kind: string; name: string; url?: string }[] }

const ranks: Record<Role, number> = { viewer: 1, operator: 2, admin: 3 }

/** Tells whether a role includes another. */
export const includes = (have: Role | undefined, want: Role) => have !== undefined && ranks[have] >= ranks[want]

const over = 'Your session is over. Sign in again to go on.'

class Session {
  who = $state.raw<Who>()
  /** Whether the server was asked at all. */
  known = $state(false)
  /** Why the last session ended, for the sign-in page. */
  ended = $state('')

  constructor() {
    onSignedOut(() => this.over(over))
  }

  get in() {
    return this.who?.role !== undefined
  }

  may(role: Role) {
    return includes(this.who?.role, role)
  }

  async look() {
    try {
      const who = await get<Who>('/api/v1/session')
      if (this.in && who.role === undefined) this.ended = over
      this.who = who
      this.known = true
    } catch (e) {
      this.known = true
      throw e
    }
  }

  async signIn(token: string) {
    this.who = await post<Who>('/api/v1/session', { token })
    this.ended = ''
  }

  async signOut() {
    await del('/api/v1/session')
    this.over('You are signed out.')
  }

  over(why: string) {
    if (!this.in) return
    this.who = undefined
    this.ended = why
    void this.look().catch(() => {})
  }
}

export const session = new Session()
