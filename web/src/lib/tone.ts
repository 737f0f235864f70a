// How good a word is, for its colour.
export type Tone = 'good' | 'warn' | 'bad' | ''

const tones: Record<string, Tone> = {
  ok: 'good', active: 'good', closed: 'good', passed: 'good', ready: 'good', delivered: 'good', done: 'good', succeeded: 'good',
  warning: 'warn', recovering: 'warn', half_open: 'warn', draining: 'warn', pending: 'warn', paused: 'warn', pinned: 'warn', ejected: 'warn',
  incident: 'bad', failed: 'bad', open: 'bad', critical: 'bad', firing: 'bad', refused: 'bad', error: 'bad',
}

export const toneOf = (word: string): Tone => tones[word] ?? ''
