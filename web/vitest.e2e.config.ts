import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** The order of the names. Vitest's own depends on sizes and on how long the last run took. */
class ByName extends BaseSequencer {
  override async sort(files: TestSpecification[]) {
    return files.toSorted((a, b) => a.moduleId.localeCompare(b.moduleId))
  }
}

// Tests in Chromium against a running Holdfast; test/dashboard starts both. One file after another: they share a server
// and two cores.
export default defineConfig({
  test: {
    include: [process.argv.some((a) => a.startsWith('big')) ? 'e2e/big/*.test.ts' : 'e2e/*.test.ts'],
    environment: 'node',
    fileParallelism: false,
    sequence: { sequencer: ByName },
    testTimeout: 90_000,
    hookTimeout: 90_000,
  },
})
