import type { Page } from '../../lib/pages'

export const page: Page = { path: '/', title: () => 'Overview', nav: { label: 'Overview', order: 1 }, load: () => import('./Overview.svelte') }
