// Calls of the API. Every answer that is not 2xx becomes an ApiError with the server's own sentence; forms show its
// problems beside their fields.
import type { components } from './schema'

export type Schemas = components['schemas']
export type Problem = { field?: string; message: string; hint?: string }

export class ApiError extends Error {
  constructor(
    readonly status: number, // 0: there was no answer
    message: string,
    readonly hint = '',
    readonly problems: Problem[] = [],
  ) {
    super(message)
  }

  /** What is wrong with a field, or an empty text. */
  at(field: string): string {
    return this.problems.filter((p) => p.field === field).map((p) => p.message).join(' ')
  }
}

const patience = 35_000 // ms; an order may take the server 30 s

let signedOut: () => void = () => {}

/** Says what to do when the session is over. */
export function onSignedOut(f: () => void) {
  signedOut = f
}

export const get = <T>(path: string, query: Record<string, unknown> = {}) => call<T>('GET', path + search(query))
export const post = <T>(path: string, body?: unknown) => call<T>('POST', path, body)
export const put = <T>(path: string, body?: unknown) => call<T>('PUT', path, body)
export const del = <T>(path: string, query: Record<string, unknown> = {}) => call<T>('DELETE', path + search(query))

/** The query of a URL, without what is undefined or empty. */
export function search(query: Record<string, unknown>): string {
  const q = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') q.set(key, String(value))
  }
  return q.size ? `?${q}` : ''
}

/** Puts a name into a path. */
export const name = encodeURIComponent

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const init: RequestInit = { method, signal: AbortSignal.timeout(patience), headers: { Accept: 'application/json' } }
  if (body !== undefined) {
    init.body = JSON.stringify(body)
    init.headers = { ...init.headers, 'Content-Type': 'application/json' }
  }
  let answer: Response
  try {
    answer = await fetch(path, init)
  } catch (e) {
    const late = e instanceof DOMException && e.name === 'TimeoutError'
    throw new ApiError(0, late ? 'Holdfast did not answer in time.' : 'Holdfast cannot be reached.', 'It may be restarting; the page tries again.')
  }
  if (!answer.ok) throw await refusal(answer, path)
  if (answer.status === 204) return undefined as T
  const json = (answer.headers.get('Content-Type') ?? '').includes('json')
  return (json ? await answer.json() : await answer.text()) as T
}

async function refusal(answer: Response, path: string): Promise<ApiError> {
  if (answer.status === 401 && !path.startsWith('/api/v1/session')) signedOut()
  try {
    const e = await answer.json()
    return new ApiError(answer.status, e.error ?? answer.statusText, e.hint, e.problems ?? (e.field ? [{ field: e.field, message: e.error }] : []))
  } catch {
    return new ApiError(answer.status, `Holdfast answered with status ${answer.status}.`)
  }
}
