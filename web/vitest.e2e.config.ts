import { defineConfig } from 'vitest/config'

// Tests in Chromium against a running Holdfast; test/dashboard starts both. One file after another: they share a server
// and two cores.
export default defineConfig({
  test: {
    include: [process.argv.some((a) => a.startsWith('big')) ? 'e2e/big/*.test.ts' : 'e2e/*.test.ts'],
    environment: 'node',
    fileParallelism: false,
    testTimeout: 90_000,
    hookTimeout: 90_000,
  },
})
