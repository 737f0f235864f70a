import { test } from 'vitest'
import { accessible, api, open, shot, until } from './browser'

test('what was ordered stands in the audit log with who did it, and the filter stands in the address', async () => {
  await api('POST', '/api/v1/functions/shop/clear-sessions', { reason: 'seen by a test' }, 'operator')
  const page = await open('/audit?function=shop')
  await page.getByRole('row').filter({ hasText: 'e2e-operator' }).filter({ hasText: 'seen by a test' }).first().waitFor()
  await accessible(page)
  await shot(page, 'audit')
  await page.getByLabel('Function').selectOption('bench')
  await page.waitForURL(/function=bench/)
  await until('without shop', async () => (await page.getByRole('cell', { name: 'shop', exact: true }).count()) === 0)
})

test('it is readable on a phone and in the dark', async () => {
  const page = await open('/audit', { width: 360, theme: 'dark' })
  await page.getByRole('heading', { name: 'Audit log' }).waitFor()
  await accessible(page)
  await shot(page, 'audit-phone')
})
