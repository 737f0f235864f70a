import type { Page } from '../../lib/pages'

export const page: Page = { path: '/functions/:name', title: (names) => names['name']!, load: () => import('./Function.svelte') }
