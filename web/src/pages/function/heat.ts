// A heat map of response times: how many requests took how long, when.
export type Cells = {
  /** Seconds since 1970 where each column begins, and how long it is. */
  from: number[]
  seconds: number
  /** Where rows end, ms, the fastest first; the last has no end. */
  bounds: number[]
  /** Requests by column and row. */
  counts: number[][]
  most: number
}

/** Puts points into at most so many columns and leaves out rows nobody is in at the top. */
export function cells(at: number[], step: number, bounds: number[], counts: number[][], columns: number): Cells {
  const per = Math.max(1, Math.ceil(at.length / columns))
  const used = counts.reduce((top, row) => Math.max(top, row.findLastIndex((n) => n > 0)), 0)
  const rows = Math.min(bounds.length + 1, used + 2)
  const out: Cells = { from: [], seconds: per * step, bounds: bounds.slice(0, rows), counts: [], most: 0 }
  for (let i = 0; i < at.length; i += per) {
    const sum = new Array<number>(rows).fill(0)
    for (const point of counts.slice(i, i + per)) for (let r = 0; r < rows; r++) sum[r]! += point[r] ?? 0
    out.from.push(at[i]! - step)
    out.counts.push(sum)
    out.most = Math.max(out.most, ...sum)
  }
  return out
}

/** How strong a cell is, 0 to 1. A single slow request beside thousands must still be seen. */
export const strength = (n: number, most: number) => (n === 0 ? 0 : 0.2 + 0.8 * (Math.log1p(n) / Math.log1p(Math.max(most, 1))) ** 2)

/** The bounds of a row, in ms; the last ends nowhere. */
export const bucket = (c: Cells, row: number): [number, number] => [row ? c.bounds[row - 1]! : 0, c.bounds[row] ?? Infinity]

/** In which row most requests are, and the slowest row with any. */
export function outline(c: Cells): { total: number; usual: number; slowest: number } {
  const by = new Array<number>(c.counts[0]?.length ?? 0).fill(0)
  for (const column of c.counts) column.forEach((n, r) => (by[r]! += n))
  return { total: by.reduce((a, b) => a + b, 0), usual: by.indexOf(Math.max(...by, 0)), slowest: by.findLastIndex((n) => n > 0) }
}
