// Lays compressed copies beside the files of the page, so that the server never compresses, and keeps the page within
// its budget of JavaScript.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const dir = new URL('../internal/dashboard/dist/page', import.meta.url).pathname
const budget = 120 * 1024
let script = 0

for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !/\.(js|css|html|svg|json|webmanifest)$/.test(entry.name)) continue
  const path = join(entry.parentPath, entry.name)
  const bytes = readFileSync(path)
  const gzip = gzipSync(bytes, { level: 9 })
  if (entry.name.endsWith('.js')) script += gzip.length
  writeFileSync(path + '.gz', gzip)
  writeFileSync(path + '.br', brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }))
}

console.log(`JavaScript: ${(script / 1024).toFixed(1)} KiB gzipped, of ${budget / 1024}`)
if (script > budget) {
  console.error('The page is over its budget of JavaScript: load parts of it later, or leave a library out.')
  process.exit(1)
}
