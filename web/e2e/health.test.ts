import { expect, test } from 'vitest'
import { accessible, api, open, shot, until } from './browser'

const level = async (component: string) => (await api<{ levels: Record<string, string> }>('GET', '/api/v1/log-levels')).levels[component]

test('Holdfast tells how it is, with figures that are its own', async () => {
  const own = await api<{ pid: number; version: string }>('GET', '/api/v1/health')
  const page = await open('/health')
  await page.getByText(String(own.pid), { exact: true }).waitFor()
  await page.getByText(own.version).first().waitFor()
  await page.getByRole('heading', { name: 'Store and spool' }).waitFor()
  await page.locator('canvas').first().waitFor()
  await accessible(page)
  await shot(page, 'health')
})

test('a log level is changed after a question, and changed back', async () => {
  const page = await open('/health', { role: 'operator' })
  const select = page.getByLabel('gateway', { exact: true })
  await select.selectOption('debug')
  await page.getByRole('button', { name: 'Cancel' }).click()
  expect(await level('gateway')).toBe('info')
  await until('as it was', async () => (await select.inputValue()) === 'info')
  await select.selectOption('debug')
  await accessible(page)
  await page.getByRole('button', { name: 'Change it' }).click()
  await until('gateway is logged from debug on', async () => (await level('gateway')) === 'debug')
  await page.getByRole('button', { name: 'Undo' }).click()
  await until('gateway is logged from info on', async () => (await level('gateway')) === 'info')
})

test('all components are changed at once, and changed back', async () => {
  const page = await open('/health', { role: 'operator' })
  await page.getByLabel('All components').selectOption('warn')
  await page.getByRole('button', { name: 'Change it' }).click()
  await until('everything is logged from warn on', async () => (await level('gateway')) === 'warn' && (await level('admin')) === 'warn')
  await page.getByRole('button', { name: 'Undo' }).click()
  await until('everything is logged from info on', async () => (await level('gateway')) === 'info' && (await level('admin')) === 'info')
})

test('the configuration is read again after a question', async () => {
  const page = await open('/health', { role: 'operator' })
  await page.getByRole('button', { name: 'Read the configuration again' }).click()
  await page.getByRole('button', { name: 'Read it' }).click()
  await page.getByRole('heading', { name: 'Changed by reading the configuration' }).waitFor()
  await page.getByRole('button', { name: 'Put away' }).click()
})

test('who only looks is offered nothing', async () => {
  const page = await open('/health', { role: 'viewer' })
  await page.getByText('gateway: info').waitFor()
  expect(await page.getByRole('button', { name: 'Read the configuration again' }).count()).toBe(0)
  expect(await page.getByLabel('All components').count()).toBe(0)
})

test('own health is readable on a phone, in the dark', async () => {
  const page = await open('/health', { width: 360, theme: 'dark' })
  await page.getByRole('heading', { name: 'Store and spool' }).waitFor()
  await page.locator('canvas').first().waitFor()
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
  await accessible(page)
  await shot(page, 'health-phone-dark')
})
