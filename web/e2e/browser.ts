// A signed-in page in Chromium for the tests, and what every page must keep: no error in the console, nothing loaded
// from elsewhere, no violation of the page's policy, nothing that axe-core finds.
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium, type Browser, type BrowserContext, type Locator, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'

export type Role = 'viewer' | 'operator' | 'admin'

/**
 * What test/dashboard started. Functions: shop (two instances), work (one to four, scaled), bench (two, for runs). provider
 * is where people sign in who have no token.
 */
export const server = JSON.parse(process.env['HOLDFAST_E2E'] ?? '{}') as { admin: string; gateway: string; provider?: string; tokens: Record<Role, string> }

const screenshots = new URL('./screenshots/', import.meta.url).pathname
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

let browser: Browser
let contexts: BrowserContext[] = []
let faults: string[] = []

beforeAll(async () => {
  if (!server.admin) throw new Error('run `go test ./test/dashboard` from the top of the repository: it starts the server')
  mkdirSync(screenshots, { recursive: true })
  browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] })
})

afterAll(() => browser?.close())

afterEach(async () => {
  await Promise.all(contexts.map((c) => c.close()))
  contexts = []
  const found = faults
  faults = []
  expect(found.join('\n')).toBe('')
})

export type Look = { role?: Role | 'nobody'; width?: number; height?: number; theme?: 'light' | 'dark'; allow?: RegExp; leave?: string }

/**
 * Opens a place of the page, such as /functions/shop, signed in. allow: console errors that are part of the test. leave: an
 * origin that the browser may go to; the page may ask it for nothing all the same.
 */
export async function open(place: string, { role = 'admin', width = 1400, height = 900, theme = 'light', allow, leave }: Look = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, reducedMotion: 'reduce' })
  contexts.push(context)
  const page = await context.newPage()
  page.setDefaultTimeout(30_000)
  watch(page, allow, leave)
  await page.goto(server.admin + '/admin/monitoring/#' + place)
  if (role !== 'nobody') {
    await page.getByLabel('Token').fill(server.tokens[role])
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByRole('navigation', { name: 'Pages' }).waitFor()
  }
  return page
}

function watch(page: Page, allow?: RegExp, leave?: string) {
  const fault = (text: string) => {
    if (!allow?.test(text)) faults.push(text)
  }
  page.on('pageerror', (e) => fault('error: ' + e.message))
  page.on('console', (m) => {
    // Refusals that a test provokes stand in the console as failed loads; the page's own words are what is looked for.
    if (m.type() === 'error' && !/status of 4\d\d/.test(m.text())) fault('console: ' + m.text())
  })
  page.on('request', (r) => {
    if (leave && r.isNavigationRequest() && new URL(r.url()).origin === leave) return
    if (!r.url().startsWith(server.admin) && !/^(data|blob|about):/.test(r.url())) fault('asked elsewhere: ' + r.url())
  })
}

/** Fails on anything axe-core finds against WCAG 2 AA. */
export async function accessible(page: Page) {
  await page.evaluate(axeSource)
  const found = await page.evaluate(async () => {
    const axe = (window as unknown as { axe: typeof import('axe-core') }).axe
    const { violations } = await axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] })
    return violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`)
  })
  expect(found.join('\n')).toBe('')
}

/** Waits until a field is marked as wrong and what stands beside it says so. */
export async function answered(field: Locator, words: string | RegExp) {
  await until('marked as wrong', async () => (await field.getAttribute('aria-invalid')) === 'true')
  const note = field.page().locator('#' + (await field.getAttribute('aria-describedby')))
  await note.filter({ hasText: words }).waitFor()
}

/** Keeps a picture of the page in e2e/screenshots. */
export const shot = (page: Page, name: string) => page.screenshot({ path: screenshots + name + '.png' })

/** Asks the API as a program does. */
export async function api<T>(method: string, path: string, body?: unknown, role: Role = 'admin'): Promise<T> {
  const answer = await fetch(server.admin + path, {
    method,
    headers: { Authorization: 'Bearer ' + server.tokens[role], 'Content-Type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
  return (text ? JSON.parse(text) : undefined) as T
}

/** Waits until ok says so; what is not there after a while fails the test. */
export async function until(what: string, ok: () => Promise<boolean> | boolean, ms = 60_000) {
  const end = Date.now() + ms
  while (!(await ok())) {
    if (Date.now() > end) throw new Error(`not ${what} after ${ms / 1000} s`)
    await new Promise((r) => setTimeout(r, 100))
  }
}
