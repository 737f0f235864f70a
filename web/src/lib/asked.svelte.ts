// What the API answers, asked for again and again while somebody looks.
import { untrack } from 'svelte'
import { ApiError } from './api'
import { live } from './app.svelte'

/** Belongs into a component: it ends with it. */
export class Asked<T> {
  value = $state.raw<T>()
  /** Why there is nothing newer; what was there before stays. */
  error = $state.raw<ApiError>()
  #ask: () => Promise<T>
  #round = 0

  /** Asks at once, and every so many ms unless the page is paused or out of sight; 0: once. */
  constructor(ask: () => Promise<T>, every = 0) {
    this.#ask = ask
    $effect(() => {
      let timer: ReturnType<typeof setTimeout> | undefined
      let over = false
      const go = async (first: boolean) => {
        if (first || (!document.hidden && !live.paused)) await this.again()
        if (!over && every > 0) timer = setTimeout(go, every, false)
      }
      void untrack(() => go(true))
      return () => {
        over = true
        clearTimeout(timer)
      }
    })
  }

  /** Asks now. Of two answers under way the later question's counts. */
  async again() {
    const round = ++this.#round
    try {
      const value = await this.#ask()
      if (round === this.#round) [this.value, this.error] = [value, undefined]
    } catch (e) {
      if (round === this.#round) this.error = e as ApiError
    }
  }
}
