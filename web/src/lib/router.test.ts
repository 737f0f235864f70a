import { beforeAll, expect, test, vi } from 'vitest'

let router: typeof import('./router.svelte')
beforeAll(async () => {
  vi.stubGlobal('location', { hash: '' })
  vi.stubGlobal('addEventListener', () => {})
  router = await import('./router.svelte')
})

test.each([
  ['', '/', ''], ['#/functions/a%2Fb?range=1h', '/functions/a%2Fb', 'range=1h'], ['#nonsense', '/', ''],
])('the place of %s', (hash, path, query) => {
  const place = router.read(hash)
  expect([place.path, place.query.toString()]).toEqual([path, query])
})

test('names of a pattern are decoded, other paths do not match', () => {
  expect(router.match('/functions/:name', '/functions/a%2Fb')).toEqual({ name: 'a/b' })
  expect(router.match('/functions/:name', '/functions/%zz')).toBeUndefined()
  expect(router.match('/functions/:name', '/functions')).toBeUndefined()
  expect(router.match('/', '/')).toEqual({})
})
