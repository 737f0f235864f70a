// What can be ordered of a function and its instances, with what will happen, when it makes no sense, and the way back.
import { del, name, post, put } from '../../lib/api'
import type { FunctionLive, InstanceLive } from '../../lib/live.svelte'
import type { Question } from '../../parts/Confirm.svelte'

/** What was ordered and still holds, read from the sentences the server says it in. */
export type Standing = { failedOver: string; stopped: boolean; forcedOpen: boolean }

export function standing(sentences: string[] = []): Standing {
  return {
    failedOver: sentences.map((s) => /^failed over: (\S+)/.exec(s)?.[1]).find(Boolean) ?? '',
    stopped: sentences.some((s) => s.startsWith('stopped')),
    forcedOpen: sentences.some((s) => s.startsWith('breaker forced open')),
  }
}

export type Order = {
  id: string
  label: string
  /** Why it makes no sense now; empty: it does. */
  not: string
  danger?: boolean
  question: () => Question
}

/** Says what was done, and how it is taken back. */
export type Say = (text: string, undo?: () => Promise<unknown>) => void

export type Group = { label: string; orders: Order[] }

const span = /^(0|([0-9]+(\.[0-9]+)?(ms|s|m|h))+)$/
const checkSpan = (v: string) => (span.test(v) ? '' : 'Write a time such as 90m or 2h, or 0 for until somebody takes it back.')
const holdInput = { name: 'for', label: 'For', value: '1h', hint: 'Such as 90m or 2h; 0: until somebody takes it back', check: checkSpan }

export const checkCount = (low: number, high: number) => (v: string) =>
  /^[0-9]+$/.test(v) && Number(v) >= low && Number(v) <= high ? '' : `Write a whole number from ${low} to ${high}.`

const many = (n: number, word: string) => `${n} ${word}${n === 1 ? '' : 's'}`

/** f: the function now; is: what holds; ids: instances that take traffic. */
export function orders(f: FunctionLive, is: Standing, ids: string[], say: Say): Group[] {
  const at = `/api/v1/functions/${name(f.name)}/`
  const send = (what: string, body: unknown = {}) => post<Record<string, unknown>>(at + what, body)
  return [
    { label: 'Traffic', orders: traffic(f, is, ids, say, send) },
    { label: 'Instances', orders: scaling(f, say, send) },
    { label: 'Breaker', orders: breaker(f, is, say, send) },
    { label: 'Watching', orders: watching(f, is, say, send) },
  ]
}

type Send = (what: string, body?: unknown) => Promise<Record<string, unknown>>

function traffic(f: FunctionLive, is: Standing, ids: string[], say: Say, send: Send): Order[] {
  const back: Order = {
    id: 'failback', label: 'Fail back', not: '',
    question: () => ({
      title: `Take the failover of ${f.name} back?`, what: `${is.failedOver} gets traffic again as soon as it is healthy.`, verb: 'Fail back', reason: true,
      act: async (reason) => {
        await send('failback', { reason })
        say(`${is.failedOver} takes traffic again.`, () => send('failover', { instance_id: is.failedOver, reason: 'failback taken back' }))
      },
    }),
  }
  const over: Order = {
    id: 'failover', label: 'Fail over…', danger: true, not: f.instances.total ? '' : 'There is no instance.',
    question: () => ({
      title: `Fail ${f.name} over?`, verb: 'Fail over', danger: true, reason: true,
      what: (v) => `New requests go to the other instances at once, not to ${v['instance_id'] || 'the primary'}; what it has under way is finished. It holds through reloads and restarts until you fail back.`,
      inputs: [
        { name: 'instance_id', label: 'Move traffic off', kind: 'choice', value: '', options: [{ value: '', label: 'the primary (lowest priority, of equals the busiest)' }, ...ids.map((id) => ({ value: id, label: id }))] },
        { name: 'force', label: 'Also when nobody else can take the traffic', kind: 'yes', value: '', hint: 'Then clients get errors.' },
      ],
      act: async (reason, v) => {
        const moved = await send('failover', { ...(v['instance_id'] && { instance_id: v['instance_id'] }), force: v['force'] === 'true', reason })
        say(`Traffic is moved off ${moved['instance']}.`, () => send('failback', { reason: 'failover taken back' }))
      },
    }),
  }
  const sessions: Order = {
    id: 'clear-sessions', label: 'Clear sessions…', not: '',
    question: () => ({
      title: `End all sessions of ${f.name}?`, what: 'Clients that stick to an instance are spread anew with their next request. What an instance remembers of them in its own memory is out of their reach then. This cannot be taken back.',
      verb: 'End sessions', danger: true, reason: true,
      act: async (reason) => {
        const cleared = await send('clear-sessions', { reason })
        say(`${many(Number(cleared['sessions_cleared']), 'session')} ended.`)
      },
    }),
  }
  return [is.failedOver ? back : over, sessions]
}

function scaling(f: FunctionLive, say: Say, send: Send): Order[] {
  const listed = f.desired === null || f.desired === undefined ? 'The configuration lists its instances.' : ''
  const before = f.desired ?? f.instances.total
  const low = Math.max(f.min_instances ?? 0, 1)
  const high = f.max_instances ?? 10_000
  const scale: Order = {
    id: 'scale', label: 'Scale…', not: listed,
    question: () => ({
      title: `Start or stop instances of ${f.name}`, verb: 'Scale', reason: true,
      what: (v) => {
        const n = Number(v['instances'])
        if (!/^[0-9]+$/.test(v['instances']!.trim()) || n === before) return `There are ${before} now.`
        return n > before ? `${many(n - before, 'instance')} will be started, and take traffic when healthy.` : `${many(before - n, 'instance')} will be drained and stopped; what they have under way is finished.`
      },
      inputs: [{ name: 'instances', label: 'Instances', kind: 'number', value: String(before), hint: f.max_instances ? `${low} to ${high}, by the configuration; ${before} now` : `${before} now`, check: checkCount(low, high) }],
      act: async (reason, v) => {
        const scaled = await send('scale', { instances: Number(v['instances']), reason })
        const text = scaled['pending'] ? `Going from ${before} to ${v['instances']} instances; it takes a while.` : `There are ${scaled['instance_count_after']} instances now.`
        say(text, () => send('scale', { instances: before, reason: 'order taken back' }))
      },
    }),
  }
  const release: Order = {
    id: 'unpause', label: 'Let it scale', not: '',
    question: () => ({
      title: `Let ${f.name} scale again?`, what: `It is ${f.held} now. With the next decision its number of instances may change.`, verb: 'Let it scale', reason: true,
      act: async (reason) => {
        await send('unpause', { reason })
        say(`${f.name} scales again.`)
      },
    }),
  }
  const fixed = listed
  const pause: Order = {
    id: 'pause', label: 'Pause scaling…', not: fixed,
    question: () => ({
      title: `Pause the scaling of ${f.name}?`, what: 'The number of instances stays as it is. Decisions go on being made and shown, but are not carried out.', verb: 'Pause', reason: true, inputs: [holdInput],
      act: async (reason, v) => {
        await send('pause', { for: v['for'], reason })
        say(`Scaling of ${f.name} is paused.`, () => send('unpause', { reason: 'pause taken back' }))
      },
    }),
  }
  const pin: Order = {
    id: 'pin', label: 'Pin…', not: fixed,
    question: () => ({
      title: `Pin ${f.name} at a number of instances?`, verb: 'Pin', reason: true,
      what: (v) => `It goes to ${v['instances']} instances and stays there, whatever the load.`,
      inputs: [{ name: 'instances', label: 'Instances', kind: 'number', value: String(before), hint: f.max_instances ? `${f.min_instances ?? 0} to ${high}` : '', check: checkCount(f.min_instances ?? 0, high) }, holdInput],
      act: async (reason, v) => {
        await send('pin', { instances: Number(v['instances']), for: v['for'], reason })
        say(`${f.name} is pinned at ${v['instances']}.`, () => send('unpause', { reason: 'pin taken back' }))
      },
    }),
  }
  const rollback: Order = {
    id: 'rollback', label: 'Roll back…', danger: true, not: f.platform === 'docker-swarm' || f.platform === 'kubernetes' ? '' : 'Versions are known on docker-swarm and kubernetes only.',
    question: () => ({
      title: `Roll ${f.name} back to the version before?`, what: 'The platform replaces its instances by ones of the version that ran before; their number stays. To take it back, roll back once more.', verb: 'Roll back', danger: true, reason: true,
      act: async (reason) => {
        const done = await send('rollback', { reason })
        say(`${f.name} is rolled back${done['from_version'] ? ` from ${done['from_version']}` : ''}.`)
      },
    }),
  }
  return [scale, ...(f.held ? [release] : [pause, pin]), rollback]
}

function breaker(f: FunctionLive, is: Standing, say: Say, send: Send): Order[] {
  const off = f.breaker === 'off' ? 'It has no breaker.' : ''
  const reset: Order = {
    id: 'reset', label: 'Reset…', not: off,
    question: () => ({
      title: `Close the breaker of ${f.name}?`, what: 'Its counts are forgotten and requests go to the instances at once. If they still fail it opens again.', verb: 'Close it', reason: true,
      act: async (reason) => {
        await send('breaker/reset', { reason })
        say(`The breaker of ${f.name} is closed.`)
      },
    }),
  }
  const open: Order = {
    id: 'open', label: 'Hold open…', danger: true, not: off || (is.forcedOpen ? 'It is held open already.' : ''),
    question: () => ({
      title: `Hold the breaker of ${f.name} open?`, what: 'No request reaches an instance until somebody resets it: clients get the fallback, or 503.', verb: 'Hold open', danger: true, reason: 'needed',
      act: async (reason) => {
        await send('breaker/open', { reason })
        say(`The breaker of ${f.name} is held open.`, () => send('breaker/reset', { reason: 'order taken back' }))
      },
    }),
  }
  return [reset, open]
}

function watching(f: FunctionLive, is: Standing, say: Say, send: Send): Order[] {
  const stop: Order = {
    id: 'stop', label: 'Stop watching…', danger: true, not: '',
    question: () => ({
      title: `Stop watching over ${f.name}?`, what: 'Traffic flows on, but checks, ejection, breaker, retries and scaling rest: whatever goes wrong now, Holdfast does nothing about it.', verb: 'Stop watching', danger: true, reason: true,
      act: async (reason) => {
        await send('stop', { reason })
        say(`Nobody watches over ${f.name} now.`, () => send('start', { reason: 'stop taken back' }))
      },
    }),
  }
  const start: Order = {
    id: 'start', label: 'Watch again', not: '',
    question: () => ({
      title: `Watch over ${f.name} again?`, what: 'Checks, ejection, breaker, retries and scaling go on with what they knew.', verb: 'Watch again', reason: true,
      act: async (reason) => {
        await send('start', { reason })
        say(`Holdfast watches over ${f.name} again.`, () => send('stop', { reason: 'start taken back' }))
      },
    }),
  }
  const anew: Order = {
    id: 'initialize', label: 'Begin anew…', not: '',
    question: () => ({
      title: `Begin anew with ${f.name}?`, what: 'It is enabled and watched, its breaker is fresh, and every instance is checked at once. What was learnt of failures is forgotten.', verb: 'Begin anew', reason: true,
      act: async (reason) => {
        await send('initialize', { reason })
        say(`${f.name} begins anew.`)
      },
    }),
  }
  return [is.stopped ? start : stop, anew]
}

/** What can be ordered of one instance. */
export function instanceOrders(fn: string, i: InstanceLive, say: Say): Order[] {
  const at = `/api/v1/functions/${name(fn)}/instances/${name(i.id)}/`
  const drain: Order = i.draining
    ? {
        id: 'undrain', label: 'Put back', not: '',
        question: () => ({
          title: `Put ${i.id} back?`, what: 'It takes traffic again as soon as it is healthy.', verb: 'Put back',
          act: async () => {
            await del(at + 'drain')
            say(`${i.id} is back.`, () => put(at + 'drain', { reason: 'order taken back' }))
          },
        }),
      }
    : {
        id: 'drain', label: 'Drain…', not: '',
        question: () => ({
          title: `Drain ${i.id}?`, what: `It gets no new requests; the ${i.in_flight} it has under way are finished. The process goes on. It holds through restarts until it is put back.`, verb: 'Drain', reason: true,
          act: async (reason) => {
            await put(at + 'drain', { reason })
            say(`${i.id} is drained.`, () => del(at + 'drain'))
          },
        }),
      }
  const weight: Order = {
    id: 'weight', label: 'Weight…', not: '',
    question: () => ({
      title: `Give ${i.id} another weight?`, verb: 'Set the weight',
      what: 'An instance with twice the weight gets twice the traffic, where the strategy shares by weight. 0 is what the configuration says.',
      inputs: [{ name: 'weight', label: 'Weight', kind: 'number', value: String(i.weight), hint: `${i.weight} now; 0: as configured`, check: checkCount(0, 1000) }],
      act: async (_, v) => {
        await put(at + 'weight', { weight: Number(v['weight']) })
        say(`${i.id} has ${v['weight'] === '0' ? 'its configured weight' : 'the weight ' + v['weight']}.`, () => put(at + 'weight', { weight: i.weight }))
      },
    }),
  }
  return [drain, weight]
}
