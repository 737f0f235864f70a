import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { accessible, api, open, server, shot, until } from './browser'

type Status = { scaling_config: Record<string, unknown>; platform?: { desired: number }; orders: string[] }
const work = () => api<Status>('GET', '/api/v1/functions/work')
const held = async () => (await api<{ functions: { name: string; held: string }[] }>('GET', '/api/v1/live')).functions.find((f) => f.name === 'work')!.held
const configure = (scaling: object) => api('PUT', '/api/admin/monitoring/auto-recovery', { function_name: 'work', scaling_config: scaling })
const marked = (page: Page, label: string, group: string) => page.getByRole('group', { name: group }).getByLabel(label, { exact: true })

test('all functions that scale are listed with their limits, and lead to their reasons', async () => {
  const page = await open('/scaling', { role: 'viewer' })
  const row = page.getByRole('row').filter({ has: page.getByRole('link', { name: 'work' }) })
  await row.getByText('1 to 4').waitFor()
  await accessible(page)
  await shot(page, 'scaling')
  await row.getByRole('link', { name: 'work' }).click()
  await page.getByRole('heading', { name: 'Scaling of work' }).waitFor()
  expect(await page.getByRole('button', { name: 'Pause', exact: true }).count()).toBe(1) // the view's own, none of scaling
})

test('a decision reads like a sentence and opens to what it was made of', async () => {
  // What people order is no decision; a minimum is.
  await configure({ min_instances: 2 })
  await until('two instances are asked for', async () => (await work()).platform!.desired === 2)
  const page = await open('/scaling/work')
  const decision = page.getByRole('group').filter({ hasText: 'Adds 1: from 1 to 2 instances' }).first()
  await decision.getByText('Adds 1').click()
  await decision.getByRole('heading', { name: 'Measured' }).waitFor()
  await decision.getByRole('heading', { name: 'Proposed' }).waitFor()
  await decision.getByRole('heading', { name: 'Against it' }).waitFor()
  await decision.getByText('2 instances', { exact: false }).first().waitFor()
  await page.getByLabel('Also those that changed nothing').check()
  await accessible(page)
  await shot(page, 'scaling-decision')
  await page.getByLabel('Time', { exact: true }).selectOption('1h')
  await until('the range stands in the address', () => page.url().includes('range=1h'))
  await configure({})
})

test('scaling is paused, pinned and let go, each after a question, with undo and bad input beside the field', async () => {
  const page = await open('/scaling/work', { role: 'operator' })
  const dialog = page.getByRole('dialog')
  const main = page.getByRole('main')
  await main.getByRole('button', { name: 'Pause', exact: true }).click()
  await dialog.getByLabel('For', { exact: true }).fill('a while')
  await dialog.getByRole('button', { name: 'Pause it' }).click()
  await dialog.getByRole('alert').waitFor()
  await dialog.getByLabel('For', { exact: true }).fill('30m')
  await accessible(page)
  await dialog.getByRole('button', { name: 'Pause it' }).click()
  await until('it is paused', async () => (await held()) === 'paused')
  await page.getByRole('button', { name: 'Undo' }).click()
  await until('it scales again', async () => (await held()) === '')

  await main.getByRole('button', { name: 'Pin', exact: true }).click()
  await dialog.getByLabel('Instances', { exact: true }).fill('99')
  await dialog.getByRole('button', { name: 'Pin it' }).click()
  expect(await dialog.getByLabel('Instances', { exact: true }).getAttribute('aria-invalid')).toBe('true')
  await dialog.getByLabel('Instances', { exact: true }).fill('2')
  await shot(page, 'scaling-pin')
  await dialog.getByRole('button', { name: 'Pin it' }).click()
  await until('it is pinned', async () => (await held()) === 'pinned')
  await page.getByRole('button', { name: 'Let it scale' }).click()
  await dialog.getByRole('button', { name: 'Let it scale' }).click()
  await until('it scales again', async () => (await held()) === '')
})

test('bad input of another policy is answered beside its field', async () => {
  const page = await open('/scaling/work?try=yes')
  const rehearse = page.getByRole('button', { name: 'Rehearse it' })
  for (const [group, label, text] of [
    ['Limits', 'Instances at least', '9'], ['Limits', 'Instances at most', '0'], ['Add when any', 'Processor, percent', '101'], ['Remove when all', 'Idle for, minutes', 'x'],
    ['Targets and capacity', 'Time of a request', 'short'], ['Pace', 'Rest after a change', '5'], ['Pace', 'Changes an hour', '1.5'], ['Budget and mode', 'For a month', '-1'],
  ] as const) {
    const field = marked(page, label, group)
    const before = await field.inputValue()
    await field.fill(text)
    await rehearse.click()
    expect(await field.getAttribute('aria-invalid')).toBe('true')
    await field.fill(before)
  }
  const days = page.getByLabel('Rehearse on the last days')
  await days.fill('99')
  await rehearse.click()
  expect(await days.getAttribute('aria-invalid')).toBe('true')
  await days.fill('7')
  await rehearse.click()
  await page.getByText('Change something first').waitFor()
  // The page does not know that a capacity needs a concurrency; the server does.
  await marked(page, 'Percent that may wait', 'Targets and capacity').fill('5')
  await rehearse.click()
  await until('the word of the server stands beside a field', async () => (await page.locator('[aria-invalid=true]').count()) > 0)
  await accessible(page)
})

test('another policy is rehearsed beside the present one, saved after its difference was shown, and taken back', async () => {
  for (let i = 0; i < 200; i++) await (await fetch(server.gateway + '/api/work/')).arrayBuffer()
  const page = await open('/scaling/work')
  await page.getByRole('button', { name: 'Try another policy' }).click()
  await marked(page, 'Instances at most', 'Limits').fill('3')
  // History has a point a minute, and needs two.
  const verdict = page.getByRole('heading', { name: /The other policy would have taken/ })
  await until('there is history to rehearse on', async () => {
    await page.getByRole('button', { name: 'Rehearse it' }).click()
    await page.getByRole('button', { name: 'Rehearse it' }).waitFor()
    return (await verdict.count()) > 0
  }, 180_000)
  await page.getByRole('row').filter({ hasText: 'Instance-hours' }).waitFor()
  await accessible(page)
  await shot(page, 'scaling-rehearsed')

  await page.getByRole('button', { name: 'Save it' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText('max_instances').waitFor()
  await shot(page, 'scaling-save')
  await dialog.getByRole('button', { name: 'Save it' }).click()
  await until('it is in force', async () => (await work()).scaling_config['max_instances'] === 3)
  await page.getByRole('button', { name: 'Undo' }).click()
  await until('it is taken back', async () => (await work()).scaling_config['max_instances'] === undefined)
}, 240_000)

test('scaling is readable on a phone, in the dark', async () => {
  const page = await open('/scaling/work?try=yes', { width: 360, theme: 'dark' })
  await page.getByRole('heading', { name: 'Another policy' }).waitFor()
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
  await accessible(page)
  await shot(page, 'scaling-phone-dark')
})
