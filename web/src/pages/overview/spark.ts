// Series as small drawings.
export type Values = (number | null)[]

/** The last n values; what is not known of them comes first, so that drawings have one scale of time. */
export const padded = (values: Values, n: number): Values => [...new Array<null>(Math.max(0, n - values.length)).fill(null), ...values.slice(-n)]

/** At most n values, each the highest of those it stands for: a peak must not be lost. */
export function shrunk(values: Values, n: number): Values {
  if (values.length <= n) return values
  const out: Values = []
  for (let i = 0; i < n; i++) {
    const part = values.slice(Math.floor((i * values.length) / n), Math.floor(((i + 1) * values.length) / n)).filter((v) => v !== null)
    out.push(part.length ? Math.max(...part) : null)
  }
  return out
}

/** The path of a line; it is broken where nothing is known. */
export function line(values: Values, width: number, height: number): string {
  const top = Math.max(...values.map((v) => v ?? 0), 1e-9)
  let path = ''
  let on = false
  for (const [i, v] of values.entries()) {
    if (v === null) on = false
    else {
      path += `${on ? 'L' : 'M'}${x(i, values.length, width)} ${(height - 1 - (v / top) * (height - 3)).toFixed(1)}`
      on = true
    }
  }
  return path
}

/** The path of bars from below, of shares from 0 to 1; the smallest error is still seen. */
export function bars(shares: Values, width: number, height: number): string {
  let path = ''
  for (const [i, v] of shares.entries()) {
    if (v) path += `M${x(i, shares.length, width)} ${height}v-${Math.max(3, v * height).toFixed(1)}`
  }
  return path
}

const x = (i: number, n: number, width: number) => (n < 2 ? width / 2 : 1 + (i * (width - 2)) / (n - 1)).toFixed(1)
