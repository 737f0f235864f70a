import type { Page } from '../../lib/pages'

export const page: Page = { path: '/events', title: () => 'Events', nav: { label: 'Events', order: 5 }, load: () => import('./Events.svelte') }
