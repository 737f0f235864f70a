import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { accessible, api, open, shot, until } from './browser'

type Run = { id: string; kind: string; state: string; report: boolean }
const runs = async () => (await api<{ runs: Run[] }>('GET', '/api/v1/runs')).runs
const over = async (id: string) => !['queued', 'running'].includes((await api<Run>('GET', '/api/v1/runs/' + id)).state)
const idle = () => until('no run is under way', async () => (await runs()).every((r) => !['queued', 'running'].includes(r.state)))
const idOf = (page: Page) => page.url().split('/runs/')[1]!

async function form(kind: 'Load test' | 'Stress test' | 'Drill', role: 'operator' | 'admin' = 'admin') {
  const page = await open('/runs', { role })
  await page.getByRole('button', { name: 'Start one' }).click()
  await page.getByRole('radio', { name: kind }).check()
  return page
}

/** Fills a field, sends the form and waits for the word beside it. */
async function refused(page: Page, kind: string, fields: Record<string, string>, about: string) {
  for (const [label, text] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(text)
  await page.getByRole('button', { name: 'Start the ' + kind }).click()
  const field = page.getByLabel(about, { exact: true })
  await until(`${about} is marked`, async () => (await field.getAttribute('aria-invalid')) === 'true')
  const note = await field.getAttribute('aria-describedby')
  expect((await page.locator('#' + note).textContent())!.length).toBeGreaterThan(5)
  for (const label of Object.keys(fields)) await page.getByLabel(label, { exact: true }).fill('')
}

/** Starts a load of bench and waits until it is over. */
async function load(seconds: number): Promise<string> {
  await idle()
  const run = await api<Run>('POST', '/api/v1/runs', { kind: 'load', function: 'bench', rate: 40, duration: seconds + 's', objectives: ['errors<1%'] })
  await until('the load is over', () => over(run.id))
  return run.id
}

test('a load test is started, watched with both views, and has its result and files', async () => {
  await idle()
  const page = await form('Load test', 'operator')
  await accessible(page)
  await page.getByLabel('Function', { exact: true }).selectOption('bench')
  await page.getByLabel('Rate', { exact: true }).fill('40')
  await page.getByLabel('Duration', { exact: true }).fill('6s')
  await page.getByLabel('Objectives').fill('p99<2s\nerrors<1%')
  await page.getByRole('button', { name: 'Start the load test' }).click()
  await page.getByRole('heading', { name: 'Load test of bench' }).waitFor()
  await page.getByRole('heading', { name: 'Clients: requests a second' }).waitFor()
  await page.getByRole('heading', { name: 'Gateway: requests a second' }).waitFor()
  await accessible(page)
  await shot(page, 'run-live')
  await page.getByRole('heading', { name: 'Result' }).waitFor()
  await page.getByRole('row').filter({ hasText: 'p99<2s' }).waitFor()
  await accessible(page)
  await shot(page, 'run')
  const saved = page.waitForEvent('download')
  await page.getByRole('link', { name: 'Page (HTML)' }).click()
  expect((await saved).suggestedFilename()).toBe(idOf(page) + '.html')
})

test('bad input of a load test is answered beside its field', async () => {
  await idle()
  const page = await form('Load test')
  await page.getByText('More', { exact: true }).click()
  await page.getByLabel('Rate', { exact: true }).fill('')
  await page.getByLabel('Duration', { exact: true }).fill('')
  await refused(page, 'load test', { Rate: 'many' }, 'Rate')
  await refused(page, 'load test', { Rate: '100001' }, 'Rate')
  await refused(page, 'load test', { Users: '1.5' }, 'Users')
  await refused(page, 'load test', { Rate: '5', Users: '5' }, 'Users')
  await refused(page, 'load test', { Rate: '5', Duration: 'soon' }, 'Duration')
  await refused(page, 'load test', { Rate: '5', Duration: '900h' }, 'Duration') // the server's word
  await refused(page, 'load test', { Rate: '5', Path: 'no-slash' }, 'Path')
  await refused(page, 'load test', { Rate: '5', Objectives: 'as fast as can be' }, 'Objectives')
  await refused(page, 'load test', { Rate: '5', 'Ramp-up': 'x' }, 'Ramp-up')
  await refused(page, 'load test', { Rate: '5', 'Warm-up': 'x' }, 'Warm-up')
  await refused(page, 'load test', { Rate: '5', 'Timeout of a request': 'x' }, 'Timeout of a request')
  await page.getByLabel('On', { exact: true }).selectOption('url')
  await refused(page, 'load test', { Rate: '5' }, 'URL')
  await refused(page, 'load test', { Rate: '5', URL: 'ftp://127.0.0.1/' }, 'URL')
  await page.getByLabel('On', { exact: true }).selectOption('scenario')
  await refused(page, 'load test', {}, 'Scenario')
  await refused(page, 'load test', { Scenario: 'target: [' }, 'Scenario')
  await accessible(page)
  expect((await runs()).filter((r) => r.state === 'running')).toEqual([])
})

test('bad input of a stress test is answered beside its field', async () => {
  const page = await form('Stress test')
  await page.getByLabel('Rate', { exact: true }).count()
  await refused(page, 'stress test', { 'p99 that has to be kept': 'fast' }, 'p99 that has to be kept')
  await refused(page, 'stress test', { 'Percent that may fail': '101' }, 'Percent that may fail')
  await refused(page, 'stress test', { 'Lowest rate': '-1' }, 'Lowest rate')
  await refused(page, 'stress test', { 'Lowest rate': '50', 'Highest rate': '20' }, 'Highest rate') // the server's word
  await refused(page, 'stress test', { 'Look at each rate for': '10ms' }, 'Look at each rate for')
  await page.getByLabel('What is done').selectOption('spike')
  await page.getByLabel('Normal rate').fill('')
  await refused(page, 'stress test', {}, 'Normal rate')
  await shot(page, 'run-start-stress')
})

test('bad input of a drill is answered beside its field', async () => {
  const page = await form('Drill')
  await page.getByRole('button', { name: 'Start the drill' }).click()
  expect(await page.getByRole('combobox', { name: 'Drill', exact: true }).getAttribute('aria-invalid')).toBe('true')
  await page.getByLabel('An experiment of your own').check()
  await refused(page, 'drill', {}, 'Experiment')
  await page.getByLabel('Experiment', { exact: true }).fill('name: x\ninject: {')
  await page.getByRole('button', { name: 'Start the drill' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Start the drill' }).click()
  await page.getByRole('dialog').getByRole('alert').waitFor()
  await page.getByRole('button', { name: 'Cancel' }).click()
  expect(await page.getByLabel('Experiment', { exact: true }).getAttribute('aria-invalid')).toBe('true')
  await page.getByLabel('An experiment of your own').uncheck()
  await page.getByRole('combobox', { name: 'Drill', exact: true }).selectOption('scale')
  await page.getByLabel('Ledger').fill('not/whole')
  await page.getByRole('button', { name: 'Start the drill' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Start the drill' }).click()
  await page.getByRole('dialog').getByRole('alert').waitFor()
  await page.getByRole('button', { name: 'Cancel' }).click()
  expect(await page.getByLabel('Ledger').getAttribute('aria-invalid')).toBe('true')
})

test('a run is stopped after a question', async () => {
  await idle()
  const run = await api<Run>('POST', '/api/v1/runs', { kind: 'load', function: 'bench', rate: 10, duration: '10m' })
  const page = await open('/runs/' + run.id, { role: 'operator' })
  await page.getByRole('button', { name: 'Stop it' }).click()
  await page.getByRole('button', { name: 'Cancel' }).click()
  expect(await over(run.id)).toBe(false)
  await page.getByRole('button', { name: 'Stop it' }).click()
  await accessible(page)
  await page.getByRole('dialog').getByRole('button', { name: 'Stop it' }).click()
  await until('the run is over', () => over(run.id))
  await page.getByRole('status').getByText('cancelled').waitFor()
})

test('a drill breaks something after a question, shows when, and what came of it', async () => {
  await idle()
  const page = await form('Drill')
  await page.getByLabel('Function', { exact: true }).selectOption('bench')
  await page.getByLabel('An experiment of your own').check()
  await page.getByLabel('Experiment', { exact: true }).fill(
    'name: drained\nabout: One instance is drained.\ninstances: 2\nbaseline: 2s\nfault: 3s\nrecovery: 2s\nload: {rate: 20}\ninject:\n  - {do: drain, whom: one, for: 2s}\nexpect: ["availability>=90%"]\n',
  )
  await page.getByRole('button', { name: 'Start the drill' }).click()
  await shot(page, 'drill-question')
  await page.getByRole('dialog').getByRole('button', { name: 'Start the drill' }).click()
  await page.getByRole('heading', { name: 'Drill: drained' }).waitFor()
  await page.getByText('Shaded: a fault is in force.').waitFor()
  await page.getByRole('row').filter({ hasText: 'availability>=90%' }).waitFor()
  await accessible(page)
  await shot(page, 'drill')
})

test('two runs are chosen, and compared side by side', async () => {
  const [a, b] = [await load(21), await load(21)]
  const page = await open('/runs', { role: 'viewer' })
  expect(await page.getByRole('button', { name: 'Start one' }).count()).toBe(0)
  await page.getByLabel('Kind').selectOption('load')
  await page.getByLabel('Compare ' + a).check()
  await page.getByLabel('Compare ' + b).check()
  await page.getByRole('link', { name: 'Compare the two' }).click()
  await page.getByRole('row').filter({ hasText: 'p99' }).waitFor()
  await page.locator('canvas').first().waitFor()
  await accessible(page)
  await shot(page, 'runs-compare')
  const field = page.getByLabel('Change that matters, percent')
  await field.fill('x')
  await page.getByRole('button', { name: 'Compare', exact: true }).click()
  expect(await field.getAttribute('aria-invalid')).toBe('true')
  await field.fill('50')
  await page.getByRole('button', { name: 'Compare', exact: true }).click()
  await until('the threshold stands in the address', () => page.url().includes('threshold=50'))
  await page.getByRole('row').filter({ hasText: 'p99' }).waitFor()
}, 150_000)

test('runs are readable on a phone, in the dark', async () => {
  const [first] = await runs()
  for (const [place, name] of [['/runs?start=yes', 'runs-phone-dark'], ['/runs/' + first!.id, 'run-phone-dark']]) {
    const page = await open(place!, { width: 360, theme: 'dark' })
    await page.getByRole('heading', { level: 1 }).waitFor()
    await page.getByRole('heading', { level: 2 }).or(page.getByRole('form')).first().waitFor()
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
    await accessible(page)
    await shot(page, name!)
  }
})
