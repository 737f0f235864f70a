import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'

// `npm run dev` serves the page itself and asks a running Holdfast for the rest.
const holdfast = process.env['HOLDFAST'] ?? 'http://127.0.0.1:8081'

export default defineConfig({
  base: '/admin/monitoring/',
  plugins: [svelte()],
  build: {
    outDir: '../internal/dashboard/dist/page',
    emptyOutDir: true,
    target: 'es2023',
    // The policy of the page allows no inline code, data URLs of scripts included.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        // The overview comes at once, charts and the other pages after it. A file for each page would be a tenth more.
        codeSplitting: {
          includeDependenciesRecursively: false,
          groups: [
            { name: 'uplot', test: /uplot/i, priority: 3 },
            { name: 'pages', test: /src\/pages\/(?!overview|.*page\.ts)|src\/parts\/Chart/, priority: 2 },
            { name: 'app', test: () => true, priority: 1 },
          ],
        },
      },
    },
  },
  server: {
    proxy: {
      '/api': {
        target: holdfast,
        changeOrigin: true,
        // A session counts only for pages of its own origin.
        configure: (proxy) => proxy.on('proxyReq', (request) => request.setHeader('origin', holdfast)),
      },
    },
  },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
})
