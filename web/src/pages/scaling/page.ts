import type { Page } from '../../lib/pages'

export const page: Page = {
  path: '/scaling',
  also: ['/scaling/:name'],
  title: ({ name }) => (name ? `Scaling of ${name}` : 'Scaling'),
  nav: { label: 'Scaling', order: 3 },
  load: () => import('./Scaling.svelte'),
}
