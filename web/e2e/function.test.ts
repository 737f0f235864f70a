import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { accessible, answered, api, open, server, shot, until } from './browser'

type Status = { orders: string[]; stopped: boolean; breaker: string; platform: { desired: number } }
const status = (fn = 'shop') => api<Status>('GET', '/api/v1/functions/' + fn)
const holds = async (sentence: string, fn = 'shop') => (await status(fn)).orders.some((o) => o.startsWith(sentence))

// The menu comes with the first figures; a column of the table has the same name.
async function order(page: Page, label: string | RegExp) {
  await page.locator('summary', { hasText: 'Actions' }).click()
  await page.getByRole('button', { name: label, exact: true }).click()
  await page.getByRole('dialog').waitFor()
}
const confirm = (page: Page, verb: string) => page.getByRole('dialog').getByRole('button', { name: verb, exact: true }).click()
// Of several toasts the one with these words: the newest may not be there yet.
const undo = (page: Page, of: string | RegExp) => page.locator('.toasts .panel').filter({ hasText: of }).getByRole('button', { name: 'Undo' }).click()

async function ask(n: number, path = '/api/shop/hello') {
  for (let i = 0; i < n; i++) await fetch(server.gateway + path).then((r) => r.arrayBuffer())
}

test('a viewer is told why nothing can be ordered', async () => {
  const page = await open('/functions/shop', { role: 'viewer' })
  await page.getByText('You are viewer: orders need the role operator.').waitFor()
  expect(await page.getByText('Actions', { exact: true }).count()).toBeLessThanOrEqual(1) // the column's head at most
  expect(await page.getByRole('button', { name: /^Drain/ }).count()).toBe(0)
  await page.getByRole('link', { name: 'Configuration' }).click()
  await page.getByText('changes need the role admin').waitFor()
  await until('read only', () => page.getByLabel('retry.attempts').isDisabled())
})

test('traffic is failed over and back, and sessions are cleared', async () => {
  const page = await open('/functions/shop', { role: 'operator' })
  await order(page, 'Fail over…')
  await page.getByLabel('Move traffic off').selectOption('shop-1')
  await page.getByLabel('Reason (optional)').fill('e2e')
  await accessible(page)
  await shot(page, 'function-failover')
  await confirm(page, 'Fail over')
  await page.getByText('Traffic is moved off shop-1.').waitFor()
  await until('moved', () => holds('failed over: shop-1'))
  await page.getByRole('list', { name: 'Orders in force' }).waitFor()
  await order(page, 'Fail back')
  await confirm(page, 'Fail back')
  await until('back', async () => !(await holds('failed over')))
  await order(page, 'Clear sessions…')
  await confirm(page, 'End sessions')
  await page.getByText(/sessions? ended\./).waitFor()
})

test('instances are started, stopped by undo, and a wrong number is answered beside the field', async () => {
  const page = await open('/functions/shop', { role: 'operator' })
  await order(page, 'Scale…')
  const field = page.getByLabel('Instances', { exact: true }).and(page.locator('input'))
  for (const wrong of ['', 'many', '-1', '2.5', '999999']) {
    await field.fill(wrong)
    await confirm(page, 'Scale')
    await answered(field, 'Write a whole number')
  }
  await field.fill('3')
  await page.getByText('1 instance will be started').waitFor()
  await confirm(page, 'Scale')
  await until('three wanted', async () => (await status()).platform.desired === 3)
  await undo(page, /3 instances/)
  await until('two wanted', async () => (await status()).platform.desired === 2)
})

test('scaling is paused, pinned and let go', async () => {
  const page = await open('/functions/work', { role: 'operator' })
  await order(page, 'Pause scaling…')
  await page.getByLabel('For', { exact: true }).fill('a while')
  await confirm(page, 'Pause')
  await answered(page.getByLabel('For', { exact: true }), 'Write a time')
  await page.getByLabel('For', { exact: true }).fill('10m')
  await confirm(page, 'Pause')
  await until('paused', () => holds('scaling is paused', 'work'))
  await undo(page, 'is paused')
  await until('not paused', async () => !(await holds('scaling is paused', 'work')))
  await page.getByText('paused', { exact: true }).waitFor({ state: 'detached' })
  await order(page, 'Pin…')
  await page.getByLabel('Instances', { exact: true }).and(page.locator('input')).fill('77')
  await confirm(page, 'Pin')
  await answered(page.getByLabel('Instances', { exact: true }).and(page.locator('input')), 'Write a whole number from 1 to 4.')
  await page.getByLabel('Instances', { exact: true }).and(page.locator('input')).fill('2')
  await confirm(page, 'Pin')
  await until('pinned', () => holds('pinned', 'work'))
  await page.getByText('pinned', { exact: true }).first().waitFor()
  await order(page, 'Let it scale')
  await confirm(page, 'Let it scale')
  await until('let go', async () => !(await holds('pinned', 'work')))
})

test('the breaker is held open with a reason, and reset', async () => {
  const page = await open('/functions/shop?tab=breaker', { role: 'operator' })
  await order(page, 'Hold open…')
  await confirm(page, 'Hold open')
  await answered(page.getByLabel('Reason', { exact: true }), 'Say why')
  await page.getByLabel('Reason', { exact: true }).fill('e2e')
  await confirm(page, 'Hold open')
  await until('open', async () => (await status()).breaker === 'open')
  await page.getByText('held open by order').waitFor()
  await order(page, 'Reset…')
  await confirm(page, 'Close it')
  await until('closed', async () => (await status()).breaker === 'closed')
  await page.getByRole('table').getByText('open', { exact: true }).first().waitFor() // the timeline
})

test('watching is stopped, begun again by undo, and begun anew; a platform without versions cannot be rolled back', async () => {
  const page = await open('/functions/shop', { role: 'operator' })
  await order(page, 'Stop watching…')
  await confirm(page, 'Stop watching')
  await until('stopped', async () => (await status()).stopped)
  await undo(page, 'Nobody watches')
  await until('watched', async () => !(await status()).stopped)
  await api('POST', '/api/v1/functions/shop/stop', {})
  await page.getByText('stopped', { exact: true }).first().waitFor()
  await order(page, 'Watch again')
  await confirm(page, 'Watch again')
  await until('watched', async () => !(await status()).stopped)
  await order(page, 'Begin anew…')
  await confirm(page, 'Begin anew')
  await page.getByText('shop begins anew.').waitFor()
  await page.locator('summary', { hasText: 'Actions' }).click()
  expect(await page.getByRole('button', { name: 'Roll back…' }).isDisabled()).toBe(true)
  await page.getByText('Versions are known on docker-swarm and kubernetes only.').waitFor()
})

test('an instance is explained, drained and put back, and gets another weight', async () => {
  const page = await open('/functions/shop', { role: 'operator' })
  await page.getByRole('button', { name: 'Explain shop-1' }).click()
  await page.getByRole('dialog').getByText('accepts connections').first().waitFor()
  await accessible(page)
  await shot(page, 'function-explain')
  await page.getByRole('button', { name: 'Close' }).click()
  await page.getByRole('button', { name: 'Drain shop-1' }).click()
  await confirm(page, 'Drain')
  await until('drained', () => holds('drained: shop-1'))
  await page.getByRole('button', { name: 'Put back shop-1' }).click()
  await confirm(page, 'Put back')
  await until('back', async () => !(await holds('drained')))
  await page.getByRole('button', { name: 'Weight shop-2' }).click()
  await page.getByLabel('Weight', { exact: true }).fill('1001')
  await confirm(page, 'Set the weight')
  await answered(page.getByLabel('Weight', { exact: true }), 'Write a whole number from 0 to 1000.')
  await page.getByLabel('Weight', { exact: true }).fill('5')
  await confirm(page, 'Set the weight')
  const weight = async () => (await api<{ instances: { id: string; weight: number }[] }>('GET', '/api/v1/functions/shop/instances')).instances.find((i) => i.id === 'shop-2')!.weight
  await until('heavier', async () => (await weight()) === 5)
  await undo(page, 'has the weight 5')
  await until('as before', async () => (await weight()) === 1)
})

test('a request is found among the latest, and tells its story, also by its link', async () => {
  const path = '/api/shop/told-' + Date.now()
  await ask(1, path)
  const page = await open('/functions/shop?tab=exchanges')
  await page.getByRole('button', { name: 'Story of GET ' + path }).click()
  await page.getByRole('dialog').getByText('route /api/shop/ -> function shop').waitFor()
  await accessible(page)
  await shot(page, 'function-story')
  const link = page.url()
  expect(link).toContain('story=')
  await page.getByRole('button', { name: 'Close' }).click()
  await until('closed', () => !page.url().includes('story='))
  await page.getByRole('button', { name: 'Slow' }).click()
  for (const wrong of ['very', '', '86400001']) {
    await page.getByLabel('Slower than, ms').fill(wrong)
    await answered(page.getByLabel('Slower than, ms'), 'Write milliseconds')
  }
  await page.getByLabel('Slower than, ms').fill('3600000')
  await page.getByText('None of the last requests took 3600000 ms or more.').waitFor()
  await page.goto(link)
  await page.reload()
  await page.getByRole('dialog').getByText('route /api/shop/ -> function shop').waitFor()
})

test('a function that is not there is said not to be there', async () => {
  const page = await open('/functions/nothing')
  await page.getByText('There is no such function.').waitFor()
  await accessible(page)
})
