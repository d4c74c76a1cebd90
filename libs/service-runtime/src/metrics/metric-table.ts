import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** One series of the product, declared once; `docs/metrics.md` is printed from it. */
export interface MetricSpec {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** Histograms only: upper bounds, in the unit of the name. */
  readonly buckets?: readonly number[];
}

export type MetricTable = Readonly<Record<string, MetricSpec>>;

/** Takes the labels of its spec and no others: the library throws for an unknown one, in the middle of the work. */
type MetricOf<M extends MetricSpec> = M['type'] extends 'counter'
  ? Counter<M['labels'][number]>
  : M['type'] extends 'gauge'
    ? Gauge<M['labels'][number]>
    : Histogram<M['labels'][number]>;

export type Metrics<T extends MetricTable> = { readonly [Name in keyof T]: MetricOf<T[Name]> };

/** Makes every series of the table in `registry`. */
export function createMetrics<const T extends MetricTable>(table: T, registry: Registry): Metrics<T> {
  const made = Object.entries(table).map(([name, spec]) => [name, createMetric(name, spec, registry)]);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- made entry by entry from the table
  return Object.fromEntries(made) as Metrics<T>;
}

function createMetric(name: string, spec: MetricSpec, registry: Registry): Counter | Gauge | Histogram {
  const options = { name, help: spec.help, labelNames: [...spec.labels], registers: [registry] };
  switch (spec.type) {
    case 'counter':
      return new Counter(options);
    case 'gauge':
      return new Gauge(options);
    case 'histogram':
      return new Histogram({ ...options, buckets: [...(spec.buckets ?? [])] });
    default:
      throw new TypeError(`unknown type of metric ${name}`);
  }
}

/** The table as Markdown. */
export function metricsMarkdown(table: MetricTable): string {
  const rows = Object.entries(table).map(
    ([name, { type, labels, help }]) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
  );
  return ['| Metric | Type | Labels | Meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
}
