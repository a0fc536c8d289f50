/** What the benchmarks make of samples; pure. */
export interface Summary {
  readonly samples: number;
  readonly median: number;
  /** 95th percentile. */
  readonly p95: number;
}

export function summarise(samples: readonly number[]): Summary {
  return { samples: samples.length, median: percentile(samples, 50), p95: percentile(samples, 95) };
}

export function median(samples: readonly number[]): number {
  return percentile(samples, 50);
}

/**
 * Linear interpolation between the two nearest samples.
 * @returns NaN where there is no sample.
 */
export function percentile(samples: readonly number[], percent: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (percent / 100) * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Rounded to significant digits, which a benchmark has three of at best. */
export function significant(value: number, digits = 3): number {
  return Number.isFinite(value) ? Number(value.toPrecision(digits)) : value;
}

/** The order in which a block takes its contenders: each comes first equally often. */
export function rotated<T>(items: readonly T[], by: number): readonly T[] {
  return items.map((_, index) => items[(index + by) % items.length] as T);
}
