// The small drawings of the rows in sight, fetched a few at a time and kept while they are young.
import { series, type Series } from '../../lib/series'

const atOnce = 4
const young: Record<string, number> = { '15m': 20_000, '1h': 60_000 }

type Kept = { series: Series; at: number }

export class Sparks {
  /** By function. */
  all = $state.raw<ReadonlyMap<string, Series>>(new Map())
  #kept = new Map<string, Kept>()
  #range = ''
  #queue: string[] = []
  #asked = new Set<string>()
  #ask: typeof series

  constructor(ask: typeof series = series) {
    this.#ask = ask
  }

  /** Wants the drawings of some functions; what is not wanted any more is not asked for. */
  want(names: string[], range: string, now = Date.now()) {
    if (range !== this.#range) {
      this.#range = range
      this.#kept.clear()
      this.all = new Map()
    }
    const age = young[range] ?? 300_000
    this.#queue = names.filter((n) => !this.#asked.has(n) && !this.#fresh(n, age, now))
    while (this.#asked.size < atOnce && this.#queue.length) void this.#next(now)
  }

  #fresh(name: string, age: number, now: number) {
    const k = this.#kept.get(name)
    return k !== undefined && now - k.at < age
  }

  async #next(now: number) {
    const name = this.#queue.shift()!
    const range = this.#range
    this.#asked.add(name)
    try {
      const s = await this.#ask(name, range)
      if (range === this.#range) {
        this.#kept.set(name, { series: s, at: now })
        this.all = new Map(this.all).set(name, s)
      }
    } catch {
      // It is asked for again with the next wish; what is wrong is said elsewhere.
    } finally {
      this.#asked.delete(name)
      if (this.#queue.length) void this.#next(now)
    }
  }
}
