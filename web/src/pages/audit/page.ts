import type { Page } from '../../lib/pages'

export const page: Page = { path: '/audit', title: () => 'Audit log', nav: { label: 'Audit', order: 6 }, load: () => import('./Audit.svelte') }
