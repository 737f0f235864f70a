// The pages. A page is a folder in src/pages with a page.ts; that it is there is all it takes.
import type { Component } from 'svelte'
import type { Role } from './session.svelte'
import { match } from './router.svelte'

export type Page = {
  /** Where it is, such as /functions/:name. */
  path: string
  /** Where else it is, such as /scaling/:name besides /scaling. */
  also?: string[]
  title: (names: Record<string, string>) => string
  /** Its place in the navigation; without, it is reached by links only. */
  nav?: { label: string; order: number }
  /** Who may see it; viewer when left out. */
  role?: Role
  /** Loads it; a page gets the names of its path as properties. */
  load: () => Promise<{ default: Component<any> }>
}

const found = import.meta.glob<{ page: Page }>('../pages/*/page.ts', { eager: true })

export const pages = Object.values(found).map((m) => m.page)

export const nav = pages.filter((p) => p.nav).sort((a, b) => a.nav!.order - b.nav!.order)

export function find(path: string): { page: Page; names: Record<string, string> } | undefined {
  for (const page of pages) {
    for (const pattern of [page.path, ...(page.also ?? [])]) {
      const names = match(pattern, path)
      if (names) return { page, names }
    }
  }
  return undefined
}
