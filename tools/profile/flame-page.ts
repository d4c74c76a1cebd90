import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workspaceRoot } from '@pgstream/test-kit';
import type { CallNode } from './call-tree.ts';

export interface FlamePage {
  readonly title: string;
  /** `µs`, `B` */
  readonly unit: string;
  /** What one row cost is the value times this. */
  readonly perRow: number;
  readonly root: CallNode;
}

/** One page with everything in it: it opens from a disk, zooms on a click and looks for names. */
export function flamePage({ title, unit, perRow, root }: FlamePage): string {
  const [css, d3, flameGraph] = [
    'd3-flame-graph/dist/d3-flamegraph.css',
    'd3/dist/d3.min.js',
    'd3-flame-graph/dist/d3-flamegraph.umd.min.js',
  ].map((file) => readFileSync(join(workspaceRoot(), 'node_modules', file), 'utf8'));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${escapeHtml(title)}</title>
<style>
${css}
body { font: 14px sans-serif; margin: 1em; }
#detail { min-height: 1.4em; }
</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
<p><input id="search" type="search" placeholder="part of a name"> <button id="reset">whole</button> Click a function to zoom.</p>
<p id="detail"></p>
<div id="chart"></div>
<script>${d3}</script>
<script>${flameGraph}</script>
<script>
const root = ${inScript(root)};
const perRow = (value) => (value * ${perRow}).toFixed(3) + ' ${unit} a row';
const label = ({ data }) => data.name + ' ' + data.place + ': ' + perRow(data.value) + ', itself ' + perRow(data.self);
const chart = flamegraph()
  .width(document.body.clientWidth)
  .cellHeight(18)
  .inverted(true)
  .minFrameSize(2)
  .setLabelHandler(label)
  .setDetailsElement(document.getElementById('detail'));
d3.select('#chart').datum(root).call(chart);
document.getElementById('search').addEventListener('input', ({ target }) => target.value === '' ? chart.clear() : chart.search(target.value));
document.getElementById('reset').addEventListener('click', () => chart.resetZoom());
</script>
</body>
</html>
`;
}

/** Nothing in it can end the script element. */
function inScript(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', String.raw`\u003c`);
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
