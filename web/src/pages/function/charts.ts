// What charts draw besides the measured lines.
import type { Line } from '../../parts/Chart.svelte'

export type Limits = { cpu_percent?: number; memory_percent?: number; response_time_ms?: number }

/** Thresholds for scaling up, of a function that is scaled: values of its configuration below ...scaling. 0 is none. */
export function limitsOf(values: { path: string; value: string }[]): Limits {
  if (!values.some((v) => v.path.endsWith('.scaling.enabled') && v.value === 'true')) return {}
  const limits: Limits = {}
  for (const v of values) {
    const key = /\.scale_up_threshold\.(cpu_percent|memory_percent|response_time_ms)$/.exec(v.path)?.[1] as keyof Limits | undefined
    if (key && Number(v.value) > 0) limits[key] = Number(v.value)
  }
  return limits
}

const classes: [string, string, string][] = [
  ['failed', 'nobody answered', '--bad'], ['5xx', '5xx', '--warn'], ['4xx', '4xx', '--accent'], ['left', 'client left', '--soft'],
]

/** Lines of what went wrong, the worst first. */
export const parts = (by: Record<string, (number | null)[]>): Line[] =>
  classes.filter(([key]) => by[key]).map(([key, label, color]) => ({ label, values: by[key]!, color }))
