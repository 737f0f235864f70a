import { expect, test } from 'vitest'
import { changes } from './changes'

test.each([
  ['nothing', undefined, undefined, []],
  ['a leaf', 1, 2, [{ path: '', before: '1', after: '2' }]],
  ['equal trees', { a: { b: [1] } }, { a: { b: [1] } }, []],
  ['deep', { a: { b: 1, c: 2 } }, { a: { b: 1, c: 3 } }, [{ path: 'a.c', before: '2', after: '3' }]],
  ['new', undefined, { name: 'x' }, [{ path: 'name', before: '', after: 'x' }]],
  ['gone', { on: false }, {}, [{ path: 'on', before: 'false', after: '' }]],
])('what differs: %s', (_what, before, after, want) => expect(changes(before, after)).toEqual(want))
