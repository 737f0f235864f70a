import { expect, test } from 'vitest'
import { accessible, api, open, shot } from './browser'

test('whoever is not signed in is asked for a token, and a wrong one is answered beside the field', async () => {
  const page = await open('/', { role: 'nobody' })
  await page.getByRole('heading', { name: 'Sign in to Holdfast' }).waitFor()
  await accessible(page)
  await shot(page, 'sign-in')
  await page.getByLabel('Token').fill('hf_wrong')
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await page.getByRole('alert').waitFor()
  expect(await page.getByLabel('Token').getAttribute('aria-invalid')).toBe('true')
})

test('after signing in the page asked for is there, and signing out leads back', async () => {
  const page = await open('/events')
  await page.waitForURL((u) => u.href.includes('#/events'))
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByText('You are signed out.').waitFor()
  expect((await page.context().cookies()).filter((c) => c.value)).toEqual([])
})

test('a session whose token is revoked ends, and the page says so', async () => {
  const made = await api<{ token: { id: string }; secret: string }>('POST', '/api/v1/tokens', { name: 'short-lived', role: 'viewer' })
  const page = await open('/', { role: 'nobody', allow: /401/ })
  await page.getByLabel('Token').fill(made.secret)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await page.getByRole('navigation', { name: 'Pages' }).waitFor()
  await api('DELETE', '/api/v1/tokens/' + made.token.id)
  await page.getByText('Your session is over').waitFor()
})

test('the first paint of the page comes within a second', async () => {
  const page = await open('/')
  await page.reload()
  await page.getByRole('navigation', { name: 'Pages' }).waitFor()
  const paint = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]!.startTime)
  expect(paint).toBeLessThan(process.env['HOLDFAST_SOAK'] ? 1000 : 5000) // CI's machine may be busy; the long form holds the figure
})
