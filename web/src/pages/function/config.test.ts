import { expect, test } from 'vitest'
import { assembled, changesOf, fault, fieldsOf, inForce, listOf, meant, parsed, stepsOf, type Field, type Schema } from './config'

const or = (...shapes: Schema[]): Schema => ({ anyOf: [...shapes, { $ref: '#/$defs/variable' }, { type: 'null' }] })
const schema: Schema = {
  'x-settable': ['enabled', 'host', 'routes[].path', 'retry.attempts', 'mode.kind'],
  $defs: {
    variable: { type: 'string' },
    function: {
      properties: {
        retry: { $ref: '#/$defs/retry' },
        enabled: { ...or({ type: 'boolean' }), default: true, description: 'Whether it is looked after.' },
        host: or({ enum: ['preserve', 'instance'] }),
        routes: { type: ['array', 'null'], items: { $ref: '#/$defs/route' } },
        platform: { $ref: '#/$defs/platform' },
        mode: { anyOf: [{ enum: ['on', 'off'] }, { $ref: '#/$defs/mode' }] },
      },
    },
    retry: {
      properties: {
        attempts: { ...or({ type: 'integer', minimum: 0, maximum: 5 }), default: 2 },
        base_delay: { ...or({ type: 'string', pattern: '^([0-9]+|([0-9]*\\.?[0-9]+(ns|us|µs|ms|s|m|h))+)$' }, { type: 'integer', minimum: 1, maximum: 60000 }), default: '25ms' },
        body_limit: or({ type: 'string', pattern: '^[0-9]+ *([KMG]iB|[kKMG]?B)?$' }, { type: 'integer' }),
        statuses: { type: ['array', 'null'], items: or({ type: 'integer' }) },
        budget: { $ref: '#/$defs/budget' },
      },
    },
    budget: { properties: { percent: or({ type: 'number', minimum: 0, maximum: 1000 }) } },
    platform: { properties: { command: { type: ['string', 'number', 'boolean', 'null'] } } },
    mode: { properties: { kind: or({ enum: ['on', 'off'] }) } },
    route: { properties: {} },
  },
}
const fields = fieldsOf(schema)
const field = (path: string) => fields.find((f) => f.path === path) as Field
const prefix = 'functions.shop'
const values = [
  { path: 'functions.shop.retry.attempts', value: '3', origin: 'override' },
  { path: 'functions.shop.retry.statuses', value: '[500, 502]', origin: 'default' },
  { path: 'functions.shop.routes[0].path', value: '"/api/shop/"', origin: 'file a.yaml:1:2' },
  { path: 'functions.shop.routes[1].hosts', value: '["a, b", c]', origin: 'file a.yaml:2:2' },
  { path: 'functions.shop.host', value: '"preserve"', origin: 'default' },
]

test('fields know their kind, their block and what is usual', () => {
  expect(fields.map((f) => [f.path, f.group, f.kind])).toEqual([
    ['enabled', '', 'yes or no'], ['host', '', 'choice'], ['routes', '', 'JSON'],
    ['retry.attempts', 'retry', 'whole number'], ['retry.base_delay', 'retry', 'time'], ['retry.body_limit', 'retry', 'size'], ['retry.statuses', 'retry', 'list'], ['retry.budget.percent', 'retry', 'number'],
    ['platform.command', 'platform', 'text'], ['mode.kind', 'mode', 'choice'],
  ])
  expect(field('retry.base_delay').usual).toBe('25ms')
  expect(field('retry.attempts').usual).toBe('2')
  expect(fields.filter((f) => !f.locked).map((f) => f.path)).toEqual(['enabled', 'host', 'routes', 'retry.attempts', 'mode.kind'])
})

test.each([
  ['retry.attempts', '9', 'whole number from 0 to 5'], ['retry.attempts', '1.5', 'whole number'], ['retry.attempts', 'x', 'whole number'],
  ['retry.budget.percent', '-1', 'a number from 0 to 1000'], ['retry.base_delay', 'soon', 'a time'], ['retry.body_limit', '64 pounds', 'a size'],
  ['host', 'mine', 'one of preserve, instance'], ['routes', '[{', 'JSON'], ['enabled', 'maybe', 'true, false'], ['platform.command', '${SECRET}', 'Variables'],
])('%s: %s is answered with "%s"', (path, text, wrong) => {
  expect(fault(field(path), text)).toContain(wrong)
})

test.each([['retry.attempts', '0', 0], ['retry.base_delay', '1h30m', '1h30m'], ['retry.body_limit', '64KiB', '64KiB'], ['enabled', 'false', false], ['retry.statuses', '500, 503', [500, 503]], ['routes', '[]', []]])(
  '%s: %s is sent as it must be',
  (path, text, sent) => {
    expect(fault(field(path), text)).toBe('')
    expect(parsed(field(path), text)).toEqual(sent)
  },
)

test('lists are read with or without brackets, and commas within quotes belong to an item', () => {
  expect(listOf('[a, "b, c", 5, true]')).toEqual(['a', 'b, c', 5, true])
  expect(listOf('')).toEqual([])
})

test('what is in force is shown as it would be written', () => {
  expect(inForce(field('retry.attempts'), values, prefix)).toEqual({ text: '3', origin: 'override', overridden: true })
  expect(inForce(field('host'), values, prefix).text).toBe('preserve')
  expect(inForce(field('routes'), values, prefix)).toMatchObject({ text: '[{"path":"/api/shop/"},{"hosts":["a, b","c"]}]', origin: 'file a.yaml:1:2' })
  expect(inForce(field('enabled'), values, prefix)).toEqual({ text: '', origin: '', overridden: false })
})

test('values below a path become a document', () => {
  expect(assembled([{ path: 'x.a.b', value: '1', origin: '' }, { path: 'x.a.c', value: 'yes', origin: '' }], 'x')).toEqual({ a: { b: 1, c: 'yes' } })
})

test('drafts change what differs, an emptied field takes an override back, and what is wrong waits', () => {
  const drafts = { 'retry.attempts': '', 'retry.base_delay': '50ms', host: 'preserve', 'retry.budget.percent': 'x', enabled: '' }
  expect(changesOf(fields, drafts, values, prefix)).toEqual([
    { path: 'functions.shop.retry.attempts', before: '3', after: 'what files say, else the default' },
    { path: 'functions.shop.retry.base_delay', before: '', after: '50ms', value: '50ms' },
  ])
})

test('a search finds keys by name and by what they are for', () => {
  expect(meant(field('enabled'), 'looked')).toBe(true)
  expect(meant(field('retry.attempts'), 'retry att')).toBe(true)
  expect(meant(field('retry.attempts'), 'looked')).toBe(false)
})

test('the history says what changed by key, not by document', () => {
  const past = {
    id: '1', created_at: '', who: 'a', target: 'shop',
    before: { enabled: true, recovery_config: { retry: { attempts: 3 }, operator: { stopped: {} } }, scaling_config: {} },
    after: { enabled: true, recovery_config: { retry: { attempts: 4 } }, load_balancing_config: { strategy: 'random' }, scaling_config: { max_instances: 8 } },
  }
  expect(stepsOf(past)).toEqual([
    { path: 'functions.shop.load_balancing.strategy', before: undefined, after: 'random' },
    { path: 'functions.shop.retry.attempts', before: 3, after: 4 },
    { path: 'functions.shop.scaling.max_instances', before: undefined, after: 8 },
  ])
  expect(stepsOf({ id: '', created_at: '', who: '', target: 'functions.shop.host', after: 'instance' })).toEqual([{ path: 'functions.shop.host', before: undefined, after: 'instance' }])
})
