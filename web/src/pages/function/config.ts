// The configuration of a function as fields: what the schema says of them, what is in force, what somebody wants instead.

/** The part of JSON Schema the configuration uses. */
export type Schema = {
  $ref?: string
  $defs?: Record<string, Schema>
  anyOf?: Schema[]
  type?: string | string[]
  properties?: Record<string, Schema>
  additionalProperties?: Schema | boolean
  items?: Schema
  enum?: string[]
  minimum?: number
  maximum?: number
  pattern?: string
  default?: unknown
  description?: string
  /** Of the whole: the keys that can be set through the API, [] behind lists, NAME for names chosen freely. */
  'x-settable'?: string[]
}

export type Kind = 'yes or no' | 'choice' | 'whole number' | 'number' | 'time' | 'size' | 'text' | 'list' | 'JSON'

export type Field = {
  /** Below the function, such as retry.attempts. */
  path: string
  /** The block it stands in, for headings; empty: the function itself. */
  group: string
  kind: Kind
  about: string
  options: string[]
  low?: number
  high?: number
  pattern?: string
  usual?: string
  /** Why it cannot be set here; empty: it can. */
  locked: string
}

// The server decides what can be set; this spares the attempt.
const open = (root: Schema, path: string) =>
  root['x-settable']?.some((k) => k === path || k.startsWith(path + '.') || k.startsWith(path + '[')) ?? true

/** All keys of a function, in the order of the schema with the simple ones first. */
export function fieldsOf(root: Schema): Field[] {
  const list: Field[] = []
  walk(root, root.$defs?.['function'] ?? {}, '', '', list, [])
  return list.sort((a, b) => Number(a.group !== '') - Number(b.group !== ''))
}

function walk(root: Schema, block: Schema, at: string, group: string, list: Field[], above: string[]) {
  for (const [key, s] of Object.entries(block.properties ?? {})) {
    const path = at + key
    const ref = [s, ...(s.anyOf ?? [])].map((x) => x.$ref?.replace('#/$defs/', '')).find((r) => r && r !== 'variable')
    const inner = ref ? root.$defs?.[ref] : undefined
    if (inner?.properties && !above.includes(ref!)) walk(root, inner, path + '.', group || key, list, [...above, ref!])
    else list.push(field(s, path, group, open(root, path) ? '' : 'It stands in the configuration file and cannot be set here.'))
  }
}

function field(s: Schema, path: string, group: string, locked: string): Field {
  const shapes = (s.anyOf ?? [s]).filter((x) => !x.$ref && x.type !== 'null')
  const is = (type: string) => shapes.find((x) => x.type === type || (Array.isArray(x.type) && x.type.includes(type)))
  const f: Field = {
    path, group, kind: 'text', about: s.description ?? '', options: [], locked,
    ...(s.default !== undefined && { usual: typeof s.default === 'string' ? s.default : JSON.stringify(s.default) }),
  }
  const choice = shapes.find((x) => x.enum)
  const text = is('string')
  const number = is('integer') ?? is('number')
  if (choice) return { ...f, kind: 'choice', options: choice.enum! }
  if (is('array')) return { ...f, kind: is('array')!.items?.$ref ? 'JSON' : 'list' }
  if (is('object')) return { ...f, kind: 'JSON' }
  if (text?.pattern) return { ...f, kind: text.pattern.includes('ms|s|m|h') ? 'time' : text.pattern.includes('iB') ? 'size' : 'text', pattern: text.pattern }
  if (text) return f
  if (is('boolean')) return { ...f, kind: 'yes or no', options: ['true', 'false'] }
  if (number) return { ...f, kind: is('integer') ? 'whole number' : 'number', low: number.minimum!, high: number.maximum! }
  return { ...f, kind: 'JSON' }
}

/** What is wrong with what somebody wrote, as far as the schema knows; empty: nothing. An empty text is no wish. */
export function fault(f: Field, text: string): string {
  const t = text.trim()
  if (t === '') return ''
  if (t.includes('${')) return 'Variables such as ${NAME} stand in the configuration file only.'
  switch (f.kind) {
    case 'whole number':
    case 'number': {
      const n = Number(t)
      const between = `Must be ${f.kind === 'number' ? 'a number' : 'a whole number'} from ${f.low} to ${f.high}.`
      return !Number.isFinite(n) || (f.kind === 'whole number' && !Number.isInteger(n)) || n < f.low! || n > f.high! ? between : ''
    }
    case 'time': return new RegExp(f.pattern!).test(t) ? '' : 'Must be a time such as 250ms, 30s, 5m or 1h30m.'
    case 'size': return new RegExp(f.pattern!).test(t) ? '' : 'Must be a size such as 64KiB or 1MiB.'
    case 'choice':
    case 'yes or no': return f.options.includes(t) ? '' : `Must be one of ${f.options.join(', ')}.`
    case 'JSON': {
      try {
        JSON.parse(t)
        return ''
      } catch (e) {
        return `Must be JSON: ${(e as Error).message}`
      }
    }
    default: return f.pattern && !new RegExp(f.pattern).test(t) ? 'Is not written as it must be.' : ''
  }
}

/** What is sent for what somebody wrote. */
export function parsed(f: Field, text: string): unknown {
  const t = text.trim()
  switch (f.kind) {
    case 'whole number':
    case 'number': return Number(t)
    case 'yes or no': return t === 'true'
    case 'JSON': return JSON.parse(t)
    case 'list': return listOf(t)
    default: return t
  }
}

/** A list as it is written: [a, "b, c"], or the same without brackets. */
export function listOf(text: string): unknown[] {
  const t = text.trim().replace(/^\[([\s\S]*)\]$/, '$1')
  const items = t.match(/"(?:[^"\\]|\\.)*"|[^,\s"][^,]*/g) ?? []
  return items.map((i) => scalar(i.trim()))
}

/** A single value as a file has it. */
export function scalar(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true'
  if (/^-?[0-9]+(\.[0-9]+)?$/.test(text)) return Number(text)
  if (text.startsWith('"')) {
    try {
      return JSON.parse(text)
    } catch {
      return text
    }
  }
  return text
}

export type Value = { path: string; value: string; origin: string }

export type InForce = { text: string; origin: string; overridden: boolean }

/** What is in force for a field: its value, or what lies below it as JSON. prefix: functions.NAME. */
export function inForce(f: Field, values: Value[], prefix: string): InForce {
  const at = prefix + '.' + f.path
  const one = values.find((v) => v.path === at)
  if (one) return { text: f.kind === 'text' || f.kind === 'choice' ? unquoted(one.value) : one.value, origin: one.origin, overridden: one.origin.startsWith('override') }
  const below = values.filter((v) => v.path.startsWith(at + '[') || v.path.startsWith(at + '.'))
  if (!below.length) return { text: '', origin: '', overridden: false }
  const origin = below[0]!.origin
  return { text: JSON.stringify(assembled(below, at)), origin, overridden: below.some((v) => v.origin.startsWith('override')) }
}

function unquoted(text: string): string {
  const v = scalar(text)
  return typeof v === 'string' ? v : text
}

/** Values below a path as one document. */
export function assembled(values: Value[], at: string): unknown {
  const root: Record<string, unknown> = {}
  for (const v of values) {
    const steps = v.path.slice(at.length).match(/\[\d+\]|[^.[\]]+/g) ?? []
    let here = root
    for (const [n, step] of steps.entries()) {
      const key = step.replace(/^\[(\d+)\]$/, '$1')
      if (n === steps.length - 1) here[key] = v.value.startsWith('[') ? listOf(v.value) : scalar(v.value)
      else here = (here[key] ??= {}) as Record<string, unknown>
    }
  }
  return lists(root)
}

// An object whose keys are 0, 1, 2 is a list.
function lists(v: unknown): unknown {
  if (typeof v !== 'object' || v === null || Array.isArray(v)) return v
  const entries = Object.entries(v).map(([k, x]) => [k, lists(x)] as const)
  return entries.length && entries.every(([k], i) => k === String(i)) ? entries.map(([, x]) => x) : Object.fromEntries(entries)
}

/** One thing that will be changed. value undefined: the override is taken back. */
export type Change = { path: string; before: string; after: string; value?: unknown }

/** What drafts change. An emptied field takes an override back. */
export function changesOf(fields: Field[], drafts: Record<string, string>, values: Value[], prefix: string): Change[] {
  const list: Change[] = []
  for (const f of fields) {
    const draft = drafts[f.path]
    if (draft === undefined) continue
    const now = inForce(f, values, prefix)
    const path = prefix + '.' + f.path
    if (draft.trim() === now.text || fault(f, draft)) continue
    if (draft.trim() !== '') list.push({ path, before: now.text, after: draft.trim(), value: parsed(f, draft) })
    else if (now.overridden) list.push({ path, before: now.text, after: 'what files say, else the default' })
  }
  return list
}

/** Whether a field is meant by a search. */
export function meant(f: Field, text: string): boolean {
  return text.toLowerCase().split(/\s+/).every((w) => f.path.includes(w) || f.about.toLowerCase().includes(w))
}

type Past = { id: string; created_at: string; who: string; target: string; before?: unknown; after?: unknown }

export type Step = { path: string; before: unknown; after: unknown }

/** What a change in the history did, by key. */
export function stepsOf(past: Past): Step[] {
  const [before, after] = [flat(past.before, past.target), flat(past.after, past.target)]
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort()
  return paths.map((path) => ({ path, before: before.get(path), after: after.get(path) })).filter((s) => JSON.stringify(s.before) !== JSON.stringify(s.after))
}

// recovery_config holds blocks beside each other, the other documents are a block each.
const places: Record<string, string> = { recovery_config: '', load_balancing_config: 'load_balancing.', scaling_config: 'scaling.' }

function flat(doc: unknown, target: string): Map<string, unknown> {
  const out = new Map<string, unknown>()
  const put = (v: unknown, path: string) => {
    if (typeof v === 'object' && v !== null && !Array.isArray(v)) for (const [k, x] of Object.entries(v)) put(x, path ? `${path}.${k}` : k)
    else out.set(path, v)
  }
  if (typeof doc !== 'object' || doc === null) {
    if (doc !== undefined && doc !== null) out.set(target, doc)
    return out
  }
  for (const [key, value] of Object.entries(doc)) {
    if (key === 'operator') continue
    const place = places[key]
    if (place === undefined) put(value, `functions.${target}.${key}`)
    else if (typeof value === 'object' && value !== null) for (const [k, x] of Object.entries(value)) if (k !== 'operator') put(x, `functions.${target}.${place}${k}`)
  }
  // That a function is enabled is what is usual, not an override.
  if (out.get(`functions.${target}.enabled`) === true) out.delete(`functions.${target}.enabled`)
  return out
}
