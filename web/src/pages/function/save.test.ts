import { expect, test } from 'vitest'
import { ApiError } from '../../lib/api'
import type { Change } from './config'
import { save } from './save'

const change = (path: string, value?: unknown): Change => ({ path, before: '', after: '', value })
const bad = () => new ApiError(400, 'does not fit')
const back = (c: Change) => ({ path: c.path })

test('a change that needs another first is tried again after it', async () => {
  const log: string[] = []
  await save([change('min', 9), change('max', 10)], back, async (c) => {
    log.push(c.path)
    if (c.path === 'min' && !log.includes('max')) throw bad()
  })
  expect(log).toEqual(['min', 'max', 'min'])
})

test('when one never fits, what was done is taken back and the refusal is told', async () => {
  const log: string[] = []
  const go = save([change('a', 1), change('b', 2), change('c', 3)], back, async (c) => {
    log.push(`${c.path}=${c.value}`)
    if (c.path === 'b') throw bad()
  })
  await expect(go).rejects.toThrow('does not fit')
  expect(log).toEqual(['a=1', 'b=2', 'c=3', 'b=2', 'c=undefined', 'a=undefined'])
})

test('when the store is down nothing is tried again', async () => {
  let asked = 0
  const go = save([change('a', 1)], back, async () => {
    asked++
    throw new ApiError(503, 'the store is down')
  })
  await expect(go).rejects.toThrow('the store is down')
  expect(asked).toBe(1)
})
