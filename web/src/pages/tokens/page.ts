import type { Page } from '../../lib/pages'

export const page: Page = {
  path: '/tokens',
  title: () => 'Users and tokens',
  nav: { label: 'Access', order: 7 },
  role: 'admin',
  load: () => import('./Tokens.svelte'),
}
