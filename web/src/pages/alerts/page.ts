import type { Page } from '../../lib/pages'

export const page: Page = { path: '/alerts', title: () => 'Alerts', nav: { label: 'Alerts', order: 2 }, load: () => import('./Alerts.svelte') }
