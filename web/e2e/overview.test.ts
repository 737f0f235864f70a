import { expect, test } from 'vitest'
import { accessible, answered, api, open, server, shot, until } from './browser'

const rows = '[role=row]:has(a[href^="#/functions/"])'

test('the overview shows each function and passes axe, wide and narrow, light and dark', async () => {
  for (const [width, theme] of [[1400, 'light'], [380, 'dark']] as const) {
    const page = await open('/', { width, theme })
    await page.getByRole('link', { name: 'shop', exact: true }).first().waitFor()
    await page.getByRole('link', { name: 'work', exact: true }).first().waitFor()
    await accessible(page)
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width)
    await shot(page, `overview-${width}-${theme}`)
  }
})

test('a search, a state and an order stand in the link, and what cannot be searched for is said beside the field', async () => {
  const page = await open('/')
  const search = page.getByLabel('Search functions')
  await page.getByRole('link', { name: 'work', exact: true }).first().waitFor()
  await search.fill('shop')
  await until('only shop there', async () => (await page.locator(rows).count()) === 1)
  await page.waitForURL((u) => u.href.includes('q=shop'))
  await search.fill('p96>5')
  await answered(search, 'There is no figure "p96"')
  await accessible(page)
  await search.fill('')
  await page.getByRole('button', { name: 'Function', exact: true }).click()
  await page.waitForURL((u) => u.href.includes('sort=name'))
  await page.getByRole('button', { name: 'Function', exact: false }).first().click()
  await page.waitForURL((u) => u.href.includes('sort=-name'))
  expect(await page.locator('[role=columnheader][aria-sort=descending]').textContent()).toContain('Function')
  await page.goto(server.admin + '/admin/monitoring/#/?q=work')
  await until('only work there', async () => (await page.locator(rows).count()) === 1)
})

test('a view is kept under a name, found again and forgotten', async () => {
  const page = await open('/?q=work')
  await page.getByRole('button', { name: 'Keep this view…' }).click()
  await page.getByRole('button', { name: 'Keep', exact: true }).click()
  await answered(page.getByLabel('Name of the view'), 'Give it a name.')
  await page.getByLabel('Name of the view').fill('my work')
  await page.getByRole('button', { name: 'Keep', exact: true }).click()
  await page.getByLabel('Search functions').fill('')
  await page.getByRole('link', { name: 'my work' }).click()
  await until('searched for', async () => (await page.getByLabel('Search functions').inputValue()) === 'work')
  await page.getByRole('button', { name: 'Forget the view my work' }).click()
  await page.getByRole('link', { name: 'my work' }).waitFor({ state: 'detached' })
})

test('what is wrong stands on top with what Holdfast does, and goes when it is over', async () => {
  const page = await open('/')
  await api('POST', '/api/v1/functions/shop/breaker/open', { reason: 'e2e' })
  try {
    await page.getByRole('heading', { name: /^\d+ functions? (has an incident|have incidents)/ }).waitFor()
    const about = page.getByRole('region', { name: 'What is wrong' })
    await about.getByText('keeps requests away').first().waitFor()
    await page.getByRole('button', { name: /^incident/ }).click()
    await page.locator(rows).filter({ hasText: 'work' }).waitFor({ state: 'detached' })
    await page.locator(rows).filter({ hasText: 'shop' }).waitFor()
    await accessible(page)
    await shot(page, 'overview-incident')
  } finally {
    await api('POST', '/api/v1/functions/shop/breaker/reset', {})
  }
  await page.locator(rows).filter({ hasText: 'shop' }).waitFor({ state: 'detached' })
})

test('paused, the page stands still and says so', async () => {
  const page = await open('/')
  await page.getByRole('link', { name: 'shop', exact: true }).first().waitFor()
  await page.getByRole('button', { name: 'Pause' }).click()
  await page.getByText(/^paused at/).waitFor()
  await page.getByRole('button', { name: 'Go on' }).click()
  await page.getByText('live', { exact: true }).waitFor()
})
