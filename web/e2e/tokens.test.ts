import { expect, test } from 'vitest'
import { accessible, answered, api, open, server, shot } from './browser'

test('a token is made, shown once, works, and is revoked after a question', async () => {
  const page = await open('/tokens')
  await page.getByLabel('Name').fill('made-in-a-test')
  await page.getByLabel('Role').selectOption('operator')
  await page.getByRole('button', { name: 'Make it' }).click()
  const secret = (await page.getByRole('status').locator('code').textContent())!
  expect(secret).toMatch(/^hf_/)
  await accessible(page)
  const who = await fetch(server.admin + '/api/v1/session', { headers: { Authorization: 'Bearer ' + secret } })
  expect(await who.json()).toMatchObject({ name: 'made-in-a-test', role: 'operator' })
  await page.getByRole('button', { name: 'Done' }).click()
  await page.getByText(secret).waitFor({ state: 'detached' })
  await page.getByRole('button', { name: 'Revoke made-in-a-test' }).click()
  await page.getByRole('dialog').getByText('cannot be taken back').waitFor()
  await shot(page, 'tokens-revoke')
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click()
  await page.getByText('made-in-a-test is revoked.').waitFor()
  const gone = await fetch(server.admin + '/api/v1/session', { headers: { Authorization: 'Bearer ' + secret } })
  expect(gone.status).toBe(401)
})

test('a token without a name is refused beside the field', async () => {
  const page = await open('/tokens')
  await page.getByRole('button', { name: 'Make it' }).click()
  await answered(page.getByLabel('Name'), 'Say what it is for.')
})

test('an operator does not see the page, and is refused by the server too', async () => {
  const page = await open('/tokens', { role: 'operator' })
  await page.getByText('This page needs the role admin.').waitFor()
  expect(await page.getByRole('link', { name: 'Access' }).count()).toBe(0)
  await expect(api('GET', '/api/v1/tokens', undefined, 'operator')).rejects.toThrow('403')
})
