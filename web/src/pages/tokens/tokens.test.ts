import { expect, test } from 'vitest'
import { stateOf } from './tokens'

const token = { id: '1', name: 'ci', role: 'viewer', created_at: '2026-01-01T00:00:00Z', created_by: 'admin' }
const at = Date.parse('2026-02-01T00:00:00Z')

test('a token is active until it is revoked or its time is over', () => {
  expect(stateOf(token, at)).toBe('active')
  expect(stateOf({ ...token, expires_at: '2026-02-01T00:00:01Z' }, at)).toBe('active')
  expect(stateOf({ ...token, expires_at: '2026-02-01T00:00:00Z' }, at)).toBe('expired')
  expect(stateOf({ ...token, expires_at: '2026-03-01T00:00:00Z', revoked_at: '2026-01-02T00:00:00Z' }, at)).toBe('revoked')
})
