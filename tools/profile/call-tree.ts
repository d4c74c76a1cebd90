import type { HeapProfiler, Profiler, Runtime } from 'node:inspector';

/** A function as it was called: what it took itself, and what it called. The form that d3-flame-graph draws. */
export interface CallNode {
  readonly name: string;
  /** Where it is defined: `libs/kafka-sink/dist/sender.js:46`; empty for what the engine does. */
  readonly place: string;
  /** Itself and below it: microseconds, or bytes. */
  readonly value: number;
  readonly self: number;
  readonly children: readonly CallNode[];
}

export interface HeavyFunction {
  readonly name: string;
  readonly place: string;
  readonly self: number;
}

/** The main thread waited: no cost. */
const IDLE = '(idle)';

/** From `Profiler.stop`: microseconds of the main thread, without those in which it waited. */
export function cpuTree(profile: Profiler.Profile): CallNode {
  const { nodes, samples = [], timeDeltas = [] } = profile;
  const selfUs = new Map<number, number>();
  // a delta is the time before its sample: what ran until then is the sample before it
  for (let i = 1; i < samples.length; i++) {
    const id = samples[i - 1] ?? 0;
    selfUs.set(id, (selfUs.get(id) ?? 0) + Math.max(0, timeDeltas[i] ?? 0));
  }
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const build = (id: number): CallNode => {
    const node = byId.get(id);
    if (node === undefined) throw new RangeError(`the profile has no node ${id}`);
    const self = node.callFrame.functionName === IDLE ? 0 : (selfUs.get(id) ?? 0);
    return callNode(node.callFrame, self, (node.children ?? []).map(build));
  };
  const [root] = nodes;
  if (root === undefined) throw new RangeError('the profile is empty');
  return build(root.id);
}

/** From `HeapProfiler.stopSampling`: bytes on V8's heap. What buffers hold lies outside it and is not in there. */
export function allocationTree({ head }: HeapProfiler.SamplingHeapProfile): CallNode {
  const build = ({ callFrame, selfSize, children }: HeapProfiler.SamplingHeapProfileNode): CallNode =>
    callNode(callFrame, selfSize, children.map(build));
  return build(head);
}

/** The functions with the most of their own, wherever they were called from. */
export function heaviest(root: CallNode, count: number): HeavyFunction[] {
  const selfOf = new Map<string, HeavyFunction>();
  const add = ({ name, place, self, children }: CallNode): void => {
    const key = `${name} ${place}`;
    selfOf.set(key, { name, place, self: (selfOf.get(key)?.self ?? 0) + self });
    for (const child of children) add(child);
  };
  add(root);
  return [...selfOf.values()]
    .filter(({ self }) => self > 0)
    .toSorted((a, b) => b.self - a.self)
    .slice(0, count);
}

function callNode(frame: Runtime.CallFrame, self: number, all: readonly CallNode[]): CallNode {
  const children = all.filter(({ value }) => value > 0);
  const value = children.reduce((sum, child) => sum + child.value, self);
  return { name: frame.functionName || '(anonymous)', place: placeOf(frame), value, self, children };
}

/** Line numbers of the protocol begin at 0. */
function placeOf({ url, lineNumber }: Runtime.CallFrame): string {
  if (url === '') return '';
  const path = url.replace(/^file:\/\//, '').replace(/^.*\/(?=(?:libs|services|node_modules)\/)/, '');
  return `${path}:${lineNumber + 1}`;
}
