// Where the page is: everything that a link can carry stands behind the # of the address.
export type Place = { path: string; query: URLSearchParams }

/** Reads what stands behind the # of an address. */
export function read(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?', 2)
  return { path: path.startsWith('/') ? path : '/', query: new URLSearchParams(query) }
}

/** The names in a pattern such as /functions/:name, or undefined when path is another one. */
export function match(pattern: string, path: string): Record<string, string> | undefined {
  const want = pattern.split('/')
  const have = path.split('/')
  if (want.length !== have.length) return undefined
  const names: Record<string, string> = {}
  for (const [i, part] of want.entries()) {
    if (!part.startsWith(':')) {
      if (part !== have[i]) return undefined
      continue
    }
    try {
      names[part.slice(1)] = decodeURIComponent(have[i]!)
    } catch {
      return undefined
    }
  }
  return names
}

class Router {
  place = $state.raw(read(location.hash))

  constructor() {
    addEventListener('hashchange', () => (this.place = read(location.hash)))
  }

  /** Changes a part of the query without a new entry in the history; '' takes it away. */
  set(key: string, value: string) {
    const query = new URLSearchParams(this.place.query)
    if (value) query.set(key, value)
    else query.delete(key)
    history.replaceState(null, '', '#' + this.place.path + (query.size ? `?${query}` : ''))
    this.place = { path: this.place.path, query }
  }

  go(path: string) {
    location.hash = '#' + path
  }
}

export const router = new Router()
