// Takes pictures of every page that the navigation leads to, and of the places named here. scripts/pictures.sh calls it.
import { mkdirSync } from 'node:fs'
import { chromium } from 'playwright-core'

const { ADMIN, TOKEN } = process.env
const out = process.argv[2]
const places = [
  ['function', '/functions/shop'],
  ['function-broken', '/functions/search'],
  ['scaling-function', '/scaling/pictures'],
]
mkdirSync(out, { recursive: true })

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] })

async function signIn(look) {
  const context = await browser.newContext({ reducedMotion: 'reduce', ...look })
  const page = await context.newPage()
  await page.goto(ADMIN + '/admin/monitoring/')
  const token = page.getByLabel('Token')
  await token.waitFor()
  if (look.first) await page.screenshot({ path: `${out}/sign-in.png` })
  await token.fill(TOKEN)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await page.getByRole('navigation', { name: 'Pages' }).waitFor()
  return page
}

async function picture(page, name, place) {
  await page.goto(ADMIN + '/admin/monitoring/#' + place)
  await page.waitForTimeout(4000) // charts draw what they are told each second
  await page.screenshot({ path: `${out}/${name}.png` })
  console.log(`${out}/${name}.png`)
}

const page = await signIn({ viewport: { width: 1280, height: 800 }, first: true })
const nav = await page.getByRole('navigation', { name: 'Pages' }).getByRole('link').all()
for (const link of nav) places.push([(await link.textContent()).toLowerCase().replaceAll(/\W+/g, '-'), (await link.getAttribute('href')).slice(1)])
for (const [name, place] of places) await picture(page, name, place)

await picture(await signIn({ viewport: { width: 1280, height: 800 }, colorScheme: 'dark' }), 'overview-dark', '/')
await picture(await signIn({ viewport: { width: 380, height: 760 } }), 'overview-phone', '/')
await browser.close()
