// Another scaling policy: the fields of the form, what is wrong with them, what differs, and what is sent.
import type { Schemas } from '../../lib/api'

export type Value = Schemas['ConfigValue']
export type Doc = { [key: string]: unknown }
export type Form = Record<string, string>
export type PolicyField = { path: string; label: string; kind: 'whole' | 'number' | 'duration' | 'choice'; most: number; least?: number; options?: string[]; hint?: string }
export type Group = { title: string; about: string; fields: PolicyField[] }

const whole = (path: string, label: string, most: number, least = 0, hint = ''): PolicyField => ({ path, label, kind: 'whole', most, least, hint })
const amount = (path: string, label: string, most: number, hint = ''): PolicyField => ({ path, label, kind: 'number', most, hint })
const span = (path: string, label: string, hint = ''): PolicyField => ({ path, label, kind: 'duration', most: 0, hint })
const percent = 100
const hour = 3_600_000

const up = 'scale_up_threshold.'
const down = 'scale_down_threshold.'

/** What can be tried here; everything else is among the configuration of the function. */
export const groups: Group[] = [
  {
    title: 'Limits', about: 'How many there may be.',
    fields: [whole('min_instances', 'Instances at least', 10_000, 0, '0: none while nobody asks'), whole('max_instances', 'Instances at most', 10_000, 1)],
  },
  {
    title: 'Add when any is above', about: '0: not looked at.',
    fields: [
      amount(up + 'cpu_percent', 'Processor, percent', percent), amount(up + 'memory_percent', 'Memory, percent', percent), amount(up + 'response_time_ms', 'Response time, ms', hour),
      amount(up + 'error_rate_percent', 'Errors, percent', percent), whole(up + 'active_connections', 'Connections of an instance', 1_000_000),
    ],
  },
  {
    title: 'Remove when all are below', about: '0: not looked at.',
    fields: [
      amount(down + 'cpu_percent', 'Processor, percent', percent), amount(down + 'memory_percent', 'Memory, percent', percent), amount(down + 'response_time_ms', 'Response time, ms', hour),
      whole(down + 'active_connections', 'Connections of an instance', 1_000_000), amount(down + 'idle_time_minutes', 'Idle for, minutes', 100_000), whole(down + 'remove', 'How many at once', 10_000, 1),
    ],
  },
  {
    title: 'Targets and capacity', about: 'With these, thresholds count only where they are written.',
    fields: [
      amount('targets.in_flight.value', 'Requests inside an instance', 1e12), amount('targets.cpu_percent.value', 'Processor, percent', percent), amount('targets.offered_rate.value', 'Requests a second of an instance', 1e12),
      whole('capacity.concurrency', 'Requests an instance works on at once', 10_000, 1, 'Turns the capacity model on'), span('capacity.service_time', 'Time of a request', '0s: measured'), amount('capacity.waiting_percent', 'Percent that may wait', 99),
    ],
  },
  {
    title: 'Pace', about: 'How fast things may change.',
    fields: [
      span('cooldown_period', 'Rest after a change'), span('up.hold', 'Adding: the wish must last'), span('down.hold', 'Removing: the wish must last'),
      amount('tolerance_percent', 'Tolerance, percent', 99), whole('changes_per_hour', 'Changes an hour', 1000, 0, '0: no limit'),
    ],
  },
  {
    title: 'Budget and mode', about: 'What it may cost, and what becomes of decisions.',
    fields: [
      amount('budget.per_hour', 'For an hour', 1e9), amount('budget.per_month', 'For a month', 1e9), amount('budget.price', 'An instance costs, an hour', 1e6),
      { path: 'budget.at_cap', label: 'At the cap', kind: 'choice', most: 0, options: ['hold', 'shrink', 'warn'] }, { path: 'mode.kind', label: 'Mode', kind: 'choice', most: 0, options: ['on', 'up-only', 'advisory'] },
    ],
  },
]
export const fields = groups.flatMap((g) => g.fields)

/** A value as a file has it, without its quotes. */
function plain(value: string): string {
  try {
    const v: unknown = JSON.parse(value)
    return typeof v === 'string' ? v : value
  } catch {
    return value
  }
}

/** What the configuration says now, by path below scaling. */
export function present(values: Value[], fn: string): Form {
  const root = `functions.${fn}.scaling.`
  return Object.fromEntries(values.filter((v) => v.path.startsWith(root)).map((v) => [v.path.slice(root.length), plain(v.value)]))
}

/** The form of what is: an empty field is a key that has no value. */
export const filled = (now: Form): Form => Object.fromEntries(fields.map((f) => [f.path, now[f.path] ?? '']))

const durations = /^(0|(\d+(\.\d+)?(ms|s|m|h))+)$/

/** What is wrong with a field by what the page knows; the server knows more. */
export function check(f: PolicyField, text: string, had: string): string {
  if (!text) return had && had !== '0' ? 'Cannot be left out here: write a value.' : ''
  if (f.kind === 'choice') return ''
  if (f.kind === 'duration') return durations.test(text) ? '' : 'Must be a duration such as 30s or 5m.'
  const n = Number(text)
  if (!Number.isFinite(n) || n < (f.least ?? 0) || n > f.most) return `Must be a number from ${f.least ?? 0} to ${f.most}.`
  return f.kind === 'whole' && !Number.isInteger(n) ? 'Must be a whole number.' : ''
}

export function problems(form: Form, now: Form): Form {
  const list = fields.map((f) => [f.path, check(f, (form[f.path] ?? '').trim(), now[f.path] ?? '')])
  const wrong: Form = Object.fromEntries(list.filter(([, text]) => text))
  if (Number(form['min_instances']) > Number(form['max_instances'])) wrong['min_instances'] ??= 'Must not be above instances at most.'
  return wrong
}

export type Change = { path: string; label: string; from: string; to: string }

/** What the form has otherwise than it is. */
export function changes(form: Form, now: Form): Change[] {
  return fields.flatMap((f) => {
    const [from, to] = [now[f.path] ?? '', (form[f.path] ?? '').trim()]
    const same = from === to || (f.kind !== 'duration' && f.kind !== 'choice' && from !== '' && to !== '' && Number(from) === Number(to))
    return same ? [] : [{ path: f.path, label: f.label, from, to }]
  })
}

/** The overrides of a function with changes laid over them. */
export function overlay(doc: Doc, list: Change[]): Doc {
  const out = structuredClone(doc)
  for (const c of list) {
    const keys = c.path.split('.')
    const last = keys.pop()!
    let at = out
    for (const k of keys) {
      // A block in short form, such as mode: on or in_flight: 8, becomes a long one.
      if (typeof at[k] !== 'object' || at[k] === null) at[k] = {}
      at = at[k] as Doc
    }
    const kind = fields.find((f) => f.path === c.path)!.kind
    at[last] = kind === 'whole' || kind === 'number' ? Number(c.to) : c.to
  }
  return out
}

/** A field of the form that a refusal of the server is about; undefined: none of them. */
export function fieldOf(path: string): string | undefined {
  const below = path.replace(/^(body\.)?(scaling_config|scaling|functions\.[^.]+\.scaling)\.?/, '')
  return fields.find((f) => below === f.path)?.path ?? fields.find((f) => f.path.startsWith(below + '.') && below)?.path
}
