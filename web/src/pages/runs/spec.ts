// The form that starts a run: which fields each kind has, what is wrong with them, and what is sent.
import type { Schemas } from '../../lib/api'

export type Kind = 'load' | 'stress' | 'drill'
export type Spec = Omit<Schemas['RunsSpec'], '$schema'>
export type Form = Record<string, string>

export type Input = {
  name: keyof Spec & string
  label: string
  hint?: string
  as: 'text' | 'number' | 'duration' | 'lines' | 'yes' | 'choice' | 'long'
  most?: number
  options?: string[]
  placeholder?: string
  /** When it belongs there at all. */
  when?: (f: Form) => boolean
  /** Among what few need. */
  rare?: boolean
}

const search = (f: Form) => !f['suite'] || f['suite'] === 'breakpoint'
const suite = (f: Form) => !search(f)
const plain = (f: Form) => f['aim'] !== 'scenario'

const request: Input[] = [
  { name: 'path', label: 'Path', as: 'text', hint: 'What is asked for; its first route when empty', when: (f) => f['aim'] === 'function' },
  { name: 'url', label: 'URL', as: 'text', placeholder: 'https://shop.example/', hint: 'Needs the role admin', when: (f) => f['aim'] === 'url' },
]
const rare: Input[] = [
  { name: 'method', label: 'Method', as: 'text', placeholder: 'GET', rare: true, when: plain },
  { name: 'body', label: 'Body', as: 'long', rare: true, when: plain },
  { name: 'timeout', label: 'Timeout of a request', as: 'duration', placeholder: '10s', rare: true, when: plain },
  { name: 'i_own_this', label: 'It is mine: more than 50/s on a public address are allowed', as: 'yes', rare: true, when: (f) => f['aim'] !== 'function' },
]

/** The fields of each kind, in order. */
export const inputs: Record<Kind, Input[]> = {
  load: [
    ...request,
    { name: 'scenario', label: 'Scenario', as: 'long', hint: 'YAML; it may name no files and no variables of the environment', when: (f) => f['aim'] === 'scenario' },
    { name: 'rate', label: 'Rate', as: 'number', most: 100_000, hint: 'Requests a second; either this or users', placeholder: '100', when: plain },
    { name: 'users', label: 'Users', as: 'number', most: 10_000, hint: 'Each waits for its answer before it asks again', when: plain },
    { name: 'duration', label: 'Duration', as: 'duration', placeholder: '10s', hint: 'Such as 30s or 5m', when: plain },
    { name: 'objectives', label: 'Objectives', as: 'lines', placeholder: 'p99<250ms\nerrors<0.1%', hint: 'One a line; the run has passed when all are met', when: plain },
    { name: 'ramp_up', label: 'Ramp-up', as: 'duration', rare: true, when: plain },
    { name: 'warm_up', label: 'Warm-up', as: 'duration', hint: 'Not counted', rare: true, when: plain },
    ...rare,
    { name: 'strict', label: 'Invalid when the generator itself was the limit', as: 'yes', rare: true },
  ],
  stress: [
    ...request,
    { name: 'suite', label: 'What is done', as: 'choice', options: ['breakpoint', 'smoke', 'load', 'stress', 'spike', 'soak', 'recovery'], hint: 'breakpoint searches for the highest rate; the others put a shape of load around a normal one' },
    { name: 'p99', label: 'p99 that has to be kept', as: 'duration', placeholder: '500ms' },
    { name: 'errors', label: 'Percent that may fail', as: 'number', most: 100, placeholder: '1' },
    { name: 'rate', label: 'Normal rate', as: 'number', most: 100_000, hint: 'Requests a second', when: suite },
    { name: 'duration', label: 'Duration', as: 'duration', hint: 'What is usual for it when empty', when: suite },
    { name: 'min', label: 'Lowest rate', as: 'number', most: 100_000, placeholder: '10', when: search },
    { name: 'max', label: 'Highest rate', as: 'number', most: 100_000, placeholder: '100000', when: search },
    { name: 'step', label: 'Look at each rate for', as: 'duration', placeholder: '10s', when: search },
    { name: 'precision', label: 'Precision in percent', as: 'number', most: 100, placeholder: '5', rare: true, when: search },
    ...rare,
  ],
  drill: [
    { name: 'path', label: 'Path', as: 'text', hint: 'What is asked for; its first route when empty' },
    { name: 'ledger', label: 'Ledger', as: 'text', placeholder: '/tmp/ledger', hint: 'File in which the instances note each POST; without it duplicates are not measured' },
    { name: 'long', label: 'Five times as long, for a judgement', as: 'yes' },
  ],
}

export const shown = (kind: Kind, f: Form) => inputs[kind].filter((i) => i.when?.(f) ?? true)

const durations = /^(\d+(\.\d+)?(ms|s|m|h))+$/

/** What is wrong with a field by what the page knows; the server knows more. */
export function check(i: Input, text: string): string {
  if (!text) return ''
  if (i.as === 'duration' && !durations.test(text)) return 'Must be a duration such as 500ms, 30s or 2m.'
  if (i.as === 'number') {
    const n = Number(text)
    if (!Number.isFinite(n) || n < 0 || n > i.most!) return `Must be a number from 0 to ${i.most}.`
    if (i.name === 'users' && !Number.isInteger(n)) return 'Must be a whole number.'
  }
  return ''
}

/** Everything that is wrong, by field. */
export function problems(kind: Kind, f: Form): Form {
  const list = shown(kind, f).map((i) => [i.name, check(i, (f[i.name] ?? '').trim())])
  const wrong: Form = Object.fromEntries(list.filter(([, text]) => text))
  const need = (field: string, text: string) => {
    if (!f[field]?.trim()) wrong[field] ??= text
  }
  if (kind === 'drill') need('experiment', f['own'] === 'yes' ? 'Write the experiment, or choose one that is built in.' : 'Choose one.')
  else if (f['aim'] === 'url') need('url', 'Say where the requests go.')
  else if (f['aim'] === 'scenario' && kind === 'load') need('scenario', 'Write the scenario.')
  if (kind === 'stress' && suite(f)) need('rate', 'This one needs a normal rate.')
  if (kind === 'load' && plain(f)) {
    if (f['rate']?.trim() && f['users']?.trim()) wrong['users'] ??= 'A run has a rate or users: leave one of them empty.'
    else if (!f['users']?.trim()) need('rate', 'Say at which rate, or with how many users.')
  }
  return wrong
}

/** What is sent: only what belongs to the kind and was filled in. */
export function spec(kind: Kind, f: Form): Spec {
  const out: Record<string, unknown> = { kind }
  if (f['function'] && (kind === 'drill' || f['aim'] === 'function')) out['function'] = f['function']
  if (kind === 'drill') out['experiment'] = f['own'] === 'yes' ? f['experiment'] : f['experiment']?.trim()
  for (const i of shown(kind, f)) {
    const text = i.as === 'long' ? (f[i.name] ?? '') : (f[i.name] ?? '').trim()
    if (!text || (i.name === 'suite' && text === 'breakpoint')) continue
    out[i.name] = i.as === 'number' ? Number(text) : i.as === 'yes' ? true : i.as === 'lines' ? text.split('\n').map((l) => l.trim()).filter(Boolean) : text
  }
  return out as Spec
}
