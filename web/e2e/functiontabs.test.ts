import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { accessible, api, open, server, shot, until } from './browser'

const confirm = (page: Page, verb: string) => page.getByRole('dialog').getByRole('button', { name: verb, exact: true }).click()
// Of several toasts the one with these words: the newest may not be there yet.
const undo = (page: Page, of: string | RegExp) => page.locator('.toasts .panel').filter({ hasText: of }).getByRole('button', { name: 'Undo' }).click()

async function ask(n: number, path = '/api/shop/hello') {
  for (let i = 0; i < n; i++) await fetch(server.gateway + path).then((r) => r.arrayBuffer())
}

test.each([[1400, 'dark'], [380, 'light']] as const)('every tab passes axe and fits a window of %i px, %s', async (width, theme) => {
  await ask(20)
  const what: [string, string][] = [['', 'The way of a request'], ['charts', 'Window'], ['breaker', 'Timeline of the breaker'], ['exchanges', 'Exchanges'], ['configuration', 'History']]
  const page = await open('/functions/shop', { width, theme })
  for (const [tab, label] of what) {
    await page.goto(`${server.admin}/admin/monitoring/#/functions/shop${tab && '?tab=' + tab}`)
    await page.getByLabel(label, { exact: true }).first().waitFor()
    if (tab === 'charts') await page.getByRole('heading', { name: 'Errors by class' }).waitFor()
    if (tab === 'configuration') await page.getByLabel('retry.attempts').waitFor()
    await accessible(page)
    expect(await page.evaluate(() => document.documentElement.scrollWidth), tab).toBeLessThanOrEqual(width)
    await shot(page, `function-${tab || 'topology'}-${width}-${theme}`)
  }
}, 180_000)

test('a key of the configuration is changed after a look at it, and taken back; what is wrong is said beside it', async () => {
  const page = await open('/functions/shop?tab=configuration')
  const value = async (key: string) => (await api<{ values: { value: string }[] }>('GET', '/api/v1/config/values?path=functions.shop.' + key)).values[0]!.value
  await page.getByLabel('Search keys').fill('retry')
  for (const [key, wrong, answer] of [['retry.attempts', '9', 'whole number from 0 to 5'], ['retry.base_delay', 'soon', 'Must be a time'], ['retry.body_limit', 'big', 'Must be a size']] as const) {
    await page.getByLabel(key, { exact: true }).fill(wrong)
    await page.getByText(answer).waitFor()
    expect(await page.getByLabel(key, { exact: true }).getAttribute('aria-invalid')).toBe('true')
    await until('not to be saved', () => page.getByRole('button', { name: 'Look at the changes…' }).isDisabled())
    await page.getByRole('button', { name: 'Drop them' }).click()
  }
  await page.getByLabel('retry.attempts', { exact: true }).fill('4')
  await page.getByRole('button', { name: 'Look at the changes…' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText('functions.shop.retry.attempts').waitFor()
  await accessible(page)
  await shot(page, 'function-configuration-diff')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await until('changed', async () => (await value('retry.attempts')) === '4')
  await undo(page, 'is changed')
  await until('taken back', async () => (await value('retry.attempts')) === '2')
  await page.getByLabel('retry.attempts', { exact: true }).fill('1')
  await page.getByRole('button', { name: 'Look at the changes…' }).click()
  await dialog.getByRole('button', { name: 'Save' }).click()
  await until('changed', async () => (await value('retry.attempts')) === '1')
  await page.getByRole('button', { name: 'Take back retry.attempts' }).click()
  await confirm(page, 'Take it back')
  await until('taken back', async () => (await value('retry.attempts')) === '2')
  const history = page.getByRole('region', { name: 'History' })
  // The page may show the change before it yet, which also has a button.
  const latest = history.getByRole('row').nth(1).filter({ hasText: 'functions.shop.retry.attempts: 1 → not overridden' })
  await latest.getByRole('button', { name: /^Take back the change/ }).click()
  await confirm(page, 'Take it back')
  await until('the taking back is taken back', async () => (await value('retry.attempts')) === '1')
  await api('DELETE', '/api/v1/config/values?path=functions.shop.retry.attempts')
})

