// What a table of live rows needs besides drawing.
export type Column = {
  id: string
  label: string
  /** What the column says, for those who ask. */
  title?: string
  /** A track of a CSS grid, such as 5rem or minmax(8rem, 2fr). */
  width: string
  num?: boolean
  /** Shown from this width of the table on, in px. */
  least?: number
  /** Whether rows can be sorted by it; yes when left out. */
  sort?: boolean
}

/** The columns that fit, in px: of those that are too many the ones that need the widest table go first. */
export function columnsIn(all: Column[], width: number): Column[] {
  const list = all.filter((c) => (c.least ?? 0) <= width)
  while (list.length && list.reduce((sum, c) => sum + room(c), 27 - gap) > width) {
    const last = list.reduce((most, c, i) => ((c.least ?? 0) >= (list[most]!.least ?? 0) ? i : most), 0)
    if (!list[last]!.least) break
    list.splice(last, 1)
  }
  return list
}

// Sizes of Table.svelte, with 15 px to a rem.
const gap = 0.75 * 15
const room = (c: Column) => gap + parseFloat(/[\d.]+/.exec(c.width)![0]) * (/[\d.]px/.test(c.width) ? 1 : 15)

export type Value = string | number | null | undefined

/** Rows by a value: '-rate' is the largest first. Unknown values come last either way; equal ones by the key. */
export function sorted<T>(rows: T[], by: string, value: (row: T, column: string) => Value, key: (row: T) => string): T[] {
  const down = by.startsWith('-')
  const column = down ? by.slice(1) : by
  const known = rows.map((row) => ({ row, v: value(row, column), k: key(row) }))
  known.sort((a, b) => {
    const none = Number(a.v === null || a.v === undefined) - Number(b.v === null || b.v === undefined)
    if (none) return none
    const order = compare(a.v, b.v)
    return (down ? -order : order) || compare(a.k, b.k)
  })
  return known.map((x) => x.row)
}

const names = new Intl.Collator('en', { numeric: true })

function compare(a: Value, b: Value): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return names.compare(String(a ?? ''), String(b ?? ''))
}

/** The order after a click on a column: numbers begin with the largest, words with the first, and then the other way. */
export function turned(by: string, column: Column): string {
  const first = column.num ? '-' + column.id : column.id
  const other = column.num ? column.id : '-' + column.id
  return by === first ? other : first
}

/** Rows in an order they had before, so that nothing moves under the pointer; new ones come last. */
export function kept<T>(rows: T[], order: string[], key: (row: T) => string): T[] {
  const at = new Map(order.map((k, i) => [k, i]))
  const place = (r: T) => at.get(key(r)) ?? order.length
  return rows.map((r, i) => ({ r, i })).sort((a, b) => place(a.r) - place(b.r) || a.i - b.i).map((x) => x.r)
}
