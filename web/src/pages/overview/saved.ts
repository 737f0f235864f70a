// Views somebody keeps: a name for a query of the overview. They stay in this browser; whoever wants to share one sends the link.
export type View = { name: string; query: string }

const kept = 'holdfast.overview.views'
const most = 20

/** What is in the query of a view: not what is only shown. */
export function queryOf(place: URLSearchParams): string {
  const q = new URLSearchParams()
  for (const key of ['q', 'state', 'sort', 'range']) {
    const value = place.get(key)
    if (value) q.set(key, value)
  }
  return q.toString()
}

/** Reads what was kept; what is not understood is left out. */
export function read(store: Pick<Storage, 'getItem'>): View[] {
  try {
    const list: unknown = JSON.parse(store.getItem(kept) ?? '[]')
    if (!Array.isArray(list)) return []
    return list.filter((v): v is View => typeof v?.name === 'string' && typeof v?.query === 'string').slice(0, most)
  } catch {
    return []
  }
}

export const write = (store: Pick<Storage, 'setItem'>, views: View[]) => store.setItem(kept, JSON.stringify(views))

/** What is wrong with the name of a new view; empty: nothing. */
export function fault(views: View[], name: string): string {
  if (!name) return 'Give it a name.'
  if (name.length > 40) return 'At most 40 characters.'
  if (views.length >= most && !views.some((v) => v.name === name)) return `At most ${most} views are kept. Take one away first.`
  return ''
}

/** Adds a view, or replaces the one of the same name. */
export const added = (views: View[], v: View) => [...views.filter((o) => o.name !== v.name), v]
