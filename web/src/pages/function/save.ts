// Several keys are changed all or not at all, though each is an order of its own.
import { ApiError, del, put } from '../../lib/api'
import type { Change } from './config'

const values = '/api/v1/config/values'

const carry = (c: { path: string; value?: unknown }) => (c.value === undefined ? del(values, { path: c.path }) : put(values, { path: c.path, value: c.value }))

/** What takes a change back: the override that was there, or none. */
export type Way = (c: Change) => { path: string; value?: unknown }

/**
 * Carries changes out. One may need another first, as a minimum above the old maximum does: what is refused is tried again
 * after the others. When some never fit, what was done is taken back and the refusal thrown.
 */
export async function save(changes: Change[], back: Way, order = carry): Promise<void> {
  const done: Change[] = []
  let left = changes
  while (left.length) {
    const refused: Change[] = []
    let why: unknown
    for (const c of left) {
      try {
        await order(c)
        done.push(c)
      } catch (e) {
        refused.push(c)
        why ??= e
        if (!(e instanceof ApiError) || e.status !== 400) {
          await undo(done, back, order)
          throw e
        }
      }
    }
    if (refused.length === left.length) {
      await undo(done, back, order)
      throw why
    }
    left = refused
  }
}

/** Takes changes back, the last first; one that cannot be does not keep the others. */
export async function undo(done: Change[], back: Way, order = carry): Promise<void> {
  let why: unknown
  for (const c of done.toReversed()) {
    try {
      await order(back(c))
    } catch (e) {
      why ??= e
    }
  }
  if (why) throw why
}
