export type Change = { path: string; before: string; after: string }

/** What differs between two values, leaf by leaf. */
export function changes(before: unknown, after: unknown, path = ''): Change[] {
  if (isTree(before) || isTree(after)) {
    const b = isTree(before) ? before : {}
    const a = isTree(after) ? after : {}
    const keys = [...new Set([...Object.keys(b), ...Object.keys(a)])].sort()
    return keys.flatMap((k) => changes(b[k], a[k], path ? `${path}.${k}` : k))
  }
  const [b, a] = [text(before), text(after)]
  return b === a ? [] : [{ path, before: b, after: a }]
}

const isTree = (x: unknown): x is Record<string, unknown> => typeof x === 'object' && x !== null && !Array.isArray(x)

const text = (x: unknown) => (x === undefined || x === null ? '' : typeof x === 'string' ? x : JSON.stringify(x))
