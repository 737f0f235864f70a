// How good a word is, for its colour.
export type Tone = 'good' | 'warn' | 'bad' | ''

const tones: Record<string, Tone> = {
  ok: 'good', active: 'good', closed: 'good', passed: 'good', ready: 'good', delivered: 'good', done: 'good', succeeded: 'good', better: 'good', up: 'good',
  warning: 'warn', recovering: 'warn', half_open: 'warn', draining: 'warn', pending: 'warn', paused: 'warn', pinned: 'warn', ejected: 'warn', invalid: 'warn',
  'breaker half_open': 'warn', 'held open by order': 'warn', against: 'warn',
  incident: 'bad', 'breaker open': 'bad', failed: 'bad', open: 'bad', critical: 'bad', firing: 'bad', refused: 'bad', error: 'bad', worse: 'bad', crashed: 'bad', down: 'bad',
}

export const toneOf = (word: string): Tone => tones[word] ?? ''
