// Server-sent events read with fetch: other than EventSource it hands on every kind of event, known or not, and says
// why it was refused. It goes on behind the last event when the connection breaks.
import { ApiError } from './api'

export type Heard = { kind: string; id: string; data: string }

/** Takes a stream apart, whatever pieces it comes in. */
export class Parser {
  #rest = ''
  #kind = 'message'
  #id = ''
  #data: string[] = []

  push(text: string): Heard[] {
    const list: Heard[] = []
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop()!
    for (const line of lines) {
      if (line === '') {
        if (this.#data.length) list.push({ kind: this.#kind, id: this.#id, data: this.#data.join('\n') })
        ;[this.#kind, this.#data] = ['message', []]
        continue
      }
      const at = line.indexOf(':')
      const [field, value] = at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1).replace(/^ /, '')]
      if (field === 'event') this.#kind = value
      else if (field === 'data') this.#data.push(value)
      else if (field === 'id') this.#id = value
    }
    return list
  }
}

export type Following = {
  path: string
  signal: AbortSignal
  /** Of each event, in order. false: nothing else is wanted. */
  hear: (e: Heard) => boolean | void
  connected?: (yes: boolean) => void
}

/** Follows a stream until the signal, or until it is refused: then it throws. */
export async function follow({ path, signal, hear, connected }: Following): Promise<void> {
  let last = ''
  for (; !signal.aborted; await pause(1000, signal)) {
    try {
      const answer = await fetch(path, { signal, headers: { Accept: 'text/event-stream', ...(last && { 'Last-Event-ID': last }) } })
      if (answer.status >= 400 && answer.status < 500 && answer.status !== 429) throw new ApiError(answer.status, await why(answer))
      if (!answer.ok || !answer.body) continue
      connected?.(true)
      const parser = new Parser()
      const text = answer.body.pipeThrough(new TextDecoderStream()).getReader()
      for (let piece = await text.read(); !piece.done; piece = await text.read()) {
        for (const e of parser.push(piece.value)) {
          if (e.id) last = e.id
          if (hear(e) === false) return void text.cancel().catch(() => {})
        }
      }
    } catch (e) {
      if (e instanceof ApiError && !signal.aborted) throw e
    }
    connected?.(false)
  }
}

async function why(answer: Response): Promise<string> {
  try {
    return (await answer.json()).error
  } catch {
    return `Holdfast answered with status ${answer.status}.`
  }
}

const pause = (ms: number, signal: AbortSignal) =>
  new Promise<void>((done) => {
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', () => (clearTimeout(timer), done()), { once: true })
  })
