import type { HeapProfiler, Profiler } from 'node:inspector';
import { allocationTree, cpuTree, heaviest } from './call-tree.ts';
import { flamePage } from './flame-page.ts';

const frame = (functionName: string, url = '', lineNumber = 0) => ({
  functionName,
  url,
  lineNumber,
  scriptId: '0',
  columnNumber: 0,
});
const node = (id: number, name: string, children: number[] = [], url = '') => ({
  id,
  callFrame: frame(name, url, 41),
  children,
});

const PROFILE: Profiler.Profile = {
  nodes: [
    node(1, '(root)', [2, 5]),
    node(2, 'pump', [3, 4], 'file:///home/me/libs/kafka-sink/dist/sender.js'),
    node(3, 'copy', [], 'file:///home/me/libs/kafka-sink/dist/copy.js'),
    node(4, 'encode', []),
    node(5, '(idle)'),
    node(6, 'never', []),
  ],
  startTime: 0,
  endTime: 1_000,
  samples: [2, 3, 5, 3, 4, 2],
  timeDeltas: [7, 100, 50, 500, 20, 30],
};

test('the time between two samples is that of the first, and waiting is none', () => {
  const root = cpuTree(PROFILE);
  expect(root.value).toBe(100 + 50 + 20 + 30);
  const [pump] = root.children;
  expect(pump).toMatchObject({ name: 'pump', self: 100, value: 200 });
  expect(pump?.children.map(({ name, self }) => [name, self])).toEqual([
    ['copy', 70],
    ['encode', 30],
  ]);
  expect(root.children).toHaveLength(1);
});

test('a place is a path inside the repository and a line as editors count it', () => {
  expect(cpuTree(PROFILE).children[0]?.place).toBe('libs/kafka-sink/dist/sender.js:42');
});

test('the heaviest functions are added up over their callers', () => {
  const head: HeapProfiler.SamplingHeapProfileNode = {
    callFrame: frame('(root)'),
    selfSize: 0,
    children: [
      { callFrame: frame('a'), selfSize: 10, children: [allocating('shared', 25)] },
      { callFrame: frame('b'), selfSize: 40, children: [allocating('shared', 30)] },
    ],
  };
  const root = allocationTree({ head });
  expect(root.value).toBe(105);
  expect(heaviest(root, 2).map(({ name, self }) => [name, self])).toEqual([
    ['shared', 55],
    ['b', 40],
  ]);
});

function allocating(name: string, selfSize: number): HeapProfiler.SamplingHeapProfileNode {
  return { callFrame: frame(name), selfSize, children: [] };
}

test('a page needs nothing but itself, and no name can end its script', () => {
  const root = { name: '</script><b>', place: '', value: 1, self: 1, children: [] };
  const page = flamePage({ title: 'a < b', unit: 'µs', perRow: 1, root });
  expect(page).not.toMatch(/<(?:script|link)[^>]+(?:src|href)=/);
  expect(page).not.toContain('</script><b>');
  expect(page).toContain('<title>a &lt; b</title>');
});
