// Short words about what was just done, with the way back where there is one.
import { ApiError } from './api'

export type Toast = { id: number; text: string; bad: boolean; undo?: () => Promise<unknown> }

let next = 1

class Toasts {
  list = $state.raw<Toast[]>([])

  say(text: string, undo?: () => Promise<unknown>) {
    this.#add({ id: next++, text, bad: false, ...(undo && { undo }) }, undo ? 20_000 : 6_000)
  }

  fail(e: unknown) {
    const text = e instanceof ApiError && e.hint ? `${e.message} ${e.hint}` : (e as Error).message
    this.#add({ id: next++, text, bad: true }, 15_000)
  }

  drop(id: number) {
    this.list = this.list.filter((t) => t.id !== id)
  }

  #add(t: Toast, ms: number) {
    this.list = [...this.list.slice(-4), t]
    setTimeout(() => this.drop(t.id), ms)
  }
}

export const toasts = new Toasts()
