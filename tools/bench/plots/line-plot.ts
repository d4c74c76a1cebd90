/** Curves over one axis, as an SVG that needs nothing beside it. Written here: what draws charts wants a browser or a canvas. */
export interface LinePlot {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  /** A level that should not be passed. */
  readonly limit?: { readonly at: number; readonly name: string };
}

export interface Axis {
  readonly name: string;
  readonly scale: 'linear' | 'log';
  /** Ascending; the axis reaches from the first to the last, or further where the curves do. */
  readonly ticks: readonly Tick[];
}

export interface Tick {
  readonly at: number;
  readonly label: string;
}

export interface Series {
  readonly name: string;
  readonly points: ReadonlyArray<readonly [x: number, y: number]>;
}

const WIDTH = 720;
const HEIGHT = 360;
const LEFT = 70;
const RIGHT = 20;
const TOP = 44;
const BOTTOM = 70;
/** Told apart also by those who see few colours. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7'];
/** What a logarithm can show of nothing. */
const SMALLEST = 0.01;

/** The text of the SVG: the same for the same figures, so that it can be committed and compared. */
export function linePlot(plot: LinePlot): string {
  const levels = plot.limit === undefined ? [] : [plot.limit.at];
  const points = plot.series.flatMap((series) => series.points);
  const x = placer(
    plot.x,
    points.map(([value]) => value),
    [LEFT, WIDTH - RIGHT],
  );
  const y = placer(plot.y, [...points.map(([, value]) => value), ...levels], [HEIGHT - BOTTOM, TOP]);
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(LEFT, 18, plot.title, 'font-size="14" font-weight="bold"'),
    ...plot.x.ticks.flatMap(({ at, label }) => [
      line([x(at), HEIGHT - BOTTOM], [x(at), HEIGHT - BOTTOM + 5], '#333'),
      text(x(at), HEIGHT - BOTTOM + 18, label, 'text-anchor="middle"'),
    ]),
    ...plot.y.ticks.flatMap(({ at, label }) => [
      line([LEFT, y(at)], [WIDTH - RIGHT, y(at)], '#ddd'),
      text(LEFT - 6, y(at) + 4, label, 'text-anchor="end"'),
    ]),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 36, plot.x.name, 'text-anchor="middle"'),
    text(LEFT, 36, plot.y.name, 'fill="#555"'),
    ...(plot.limit === undefined ? [] : limitLine(plot.limit, y)),
    ...plot.series.flatMap((series, i) => curve(series, i, { x, y })),
    '</svg>',
  ].join('\n')}\n`;
}

type Place = (value: number) => number;

function curve({ name, points }: Series, i: number, { x, y }: { x: Place; y: Place }): string[] {
  const colour = COLOURS[i % COLOURS.length] ?? '#000';
  const placed = points.map(([px, py]) => [x(px), y(py)] as const);
  const legendX = LEFT + i * 160;
  return [
    `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${placed.map((at) => at.join(',')).join(' ')}"/>`,
    // many points are a line already
    ...(placed.length > 20
      ? []
      : placed.map(([px, py]) => `<circle cx="${px}" cy="${py}" r="3" fill="${colour}"/>`)),
    `<rect x="${legendX}" y="${HEIGHT - 22}" width="12" height="12" fill="${colour}"/>`,
    text(legendX + 18, HEIGHT - 12, name, ''),
  ];
}

function limitLine({ at, name }: { readonly at: number; readonly name: string }, y: Place): string[] {
  return [
    `<line x1="${LEFT}" y1="${y(at)}" x2="${WIDTH - RIGHT}" y2="${y(at)}" stroke="#a00" stroke-dasharray="6 4"/>`,
    text(WIDTH - RIGHT, y(at) - 5, name, 'text-anchor="end" fill="#a00"'),
  ];
}

/** Where a value lies between two ends of the drawing, to a tenth of its unit. */
function placer(
  { scale, ticks }: Axis,
  values: readonly number[],
  [low, high]: readonly [number, number],
): Place {
  const of = (value: number) => (scale === 'log' ? Math.log10(Math.max(value, SMALLEST)) : value);
  const all = [...ticks.map(({ at }) => at), ...values].map(of);
  const [min, max] = [Math.min(...all), Math.max(...all)];
  const span = max - min || 1;
  return (value) => Math.round((low + ((of(value) - min) / span) * (high - low)) * 10) / 10;
}

function line([x1, y1]: readonly [number, number], [x2, y2]: readonly [number, number], colour: string) {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${colour}"/>`;
}

// oxlint-disable-next-line max-params -- a place, what stands there and how
function text(x: number, y: number, content: string, attributes: string): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x}" y="${y}"${attributes === '' ? '' : ` ${attributes}`}>${escaped}</text>`;
}

/** Ticks at powers of ten that span the values, for a logarithmic axis. */
export function powersOfTen(values: readonly number[]): Tick[] {
  const exponents = values.map((value) => Math.log10(Math.max(value, SMALLEST)));
  const [from, to] = [Math.floor(Math.min(...exponents)), Math.ceil(Math.max(...exponents))];
  return Array.from({ length: to - from + 1 }, (_, i) => {
    const at = 10 ** (from + i);
    return { at, label: at < 1 ? at.toFixed(-(from + i)) : at.toLocaleString('en-US') };
  });
}

/** About five round ticks from 0 to above the values, for a linear axis. */
export function ticksFromZero(values: readonly number[]): Tick[] {
  const most = Math.max(...values);
  const rough = most / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const count = Math.ceil(most / step);
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  return Array.from({ length: count + 1 }, (_, i) => ({ at: i * step, label: (i * step).toFixed(digits) }));
}
