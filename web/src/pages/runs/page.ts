import type { Page } from '../../lib/pages'

export const page: Page = {
  path: '/runs',
  also: ['/runs/:id'],
  title: ({ id }) => (id === 'compare' ? 'Two runs' : id ? `Run ${id}` : 'Load tests and drills'),
  nav: { label: 'Load and drills', order: 4 },
  load: () => import('./Runs.svelte'),
}
