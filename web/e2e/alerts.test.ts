import { afterAll, expect, test } from 'vitest'
import { accessible, answered, api, open, server, shot, until } from './browser'

type Channels = { channels: { name: string; sent: number }[] }

/** Tells the only instance of alarm to fail its checks for a while, or no longer. */
const alarm = (how: string) => fetch(server.gateway + '/api/alarm/switch?' + how, { method: 'POST' })

// Tests of other pages find alarm well.
afterAll(async () => {
  await until('told to be well', async () => (await alarm('fail=0')).ok)
  const seen = () => api<{ instances: { status: string }[] }>('GET', '/api/v1/functions/alarm/instances')
  await until('well', async () => (await seen()).instances.every((i) => i.status === 'active'))
})

test('an alert says what is wrong, why and what to do; a silence is asked for, made and taken back', async () => {
  expect((await alarm('fail=1&health=1&for=3m')).ok).toBe(true)
  const page = await open('/alerts')
  const card = page.getByRole('article').filter({ hasText: 'alarm' }).first()
  await card.waitFor({ timeout: 80_000 })
  await card.getByText('Next step:').waitFor()
  await accessible(page)
  await shot(page, 'alerts')

  await page.getByRole('button', { name: 'Silence…', exact: true }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Function').fill('alarm')
  await dialog.getByLabel('For').fill('soon')
  await dialog.getByRole('button', { name: 'Silence' }).click()
  await answered(dialog.getByLabel('For'), 'Write it as 90m or 2h.')
  await answered(dialog.getByLabel('Reason'), 'Say why')
  await dialog.getByLabel('For').fill('1h')
  await dialog.getByLabel('Reason').fill('a test')
  await dialog.getByRole('button', { name: 'Silence' }).click()
  await page.getByRole('cell', { name: 'a test' }).waitFor()
  await until('in force', async () => (await api<{ silences: unknown[] }>('GET', '/api/v1/alerts/silences')).silences.length > 0)
  await page.getByRole('button', { name: /^End the silence/ }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'End it' }).click()
  await page.getByText(/^ended /).waitFor()
}, 180_000) // the alert alone may take 80 s

test('a channel is tested from the page, and what the receiver says is shown', async () => {
  const page = await open('/alerts')
  const sent = async () => (await api<Channels>('GET', '/api/v1/alerts/channels')).channels.find((c) => c.name === 'ops')!.sent
  const before = await sent()
  await page.getByRole('button', { name: 'Test ops' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Send it' }).click()
  await page.getByText('ops took the test.').waitFor()
  await until('counted', async () => (await sent()) > before)
  await page.getByRole('button', { name: 'Test broken' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Send it' }).click()
  await page.getByRole('dialog').getByText('It was not delivered').waitFor()
})

test('a viewer sees alerts and can order nothing', async () => {
  const page = await open('/alerts', { role: 'viewer' })
  await page.getByRole('heading', { name: 'Who is told' }).waitFor()
  expect(await page.getByRole('button', { name: /Silence|Test|End/ }).count()).toBe(0)
  await expect(api('POST', '/api/v1/alerts/silences', { rule: '*', for: '1h', reason: 'no' }, 'viewer')).rejects.toThrow('403')
})

test('it is readable on a phone and in the dark', async () => {
  const page = await open('/alerts', { width: 360, theme: 'dark' })
  await page.getByRole('heading', { name: 'Who is told' }).waitFor()
  await accessible(page)
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true)
  await shot(page, 'alerts-phone')
})
