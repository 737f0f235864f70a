import type { Page } from '../../lib/pages'

export const page: Page = { path: '/health', title: () => 'Own health', nav: { label: 'Own health', order: 8 }, load: () => import('./Health.svelte') }
