import {
  RecordBatchBuilder,
  type BatchOutcome,
  type RecordBatch,
  type RevokeHandler,
  type Sink,
  type Source,
} from '@pgstream/wal-event';
import { runPipeline, type PipelineObserver } from './run-pipeline.ts';

interface Step {
  readonly lane: number;
  readonly checkpoint?: string;
}

/** A source that yields the given batches and then waits for the stop. */
class ScriptedSource implements Source<string> {
  readonly confirmed: Array<readonly [number, string]> = [];
  closed = 0;
  revoke: RevokeHandler | undefined;
  confirmGate: Promise<void> = Promise.resolve();
  readonly #steps: readonly Step[];

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
  }

  async *batches(signal: AbortSignal): AsyncGenerator<RecordBatch<string>> {
    for (const step of this.#steps) {
      const batch = new RecordBatchBuilder<string>(8, 1);
      batch.lane = step.lane;
      if (step.checkpoint !== undefined) batch.checkpoint = step.checkpoint;
      yield batch;
    }
    if (signal.aborted) return;
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  }

  async confirm(lane: number, checkpoint: string): Promise<void> {
    await this.confirmGate;
    this.confirmed.push([lane, checkpoint]);
  }

  onRevoke(handler: RevokeHandler): void {
    this.revoke = handler;
  }

  close(): Promise<void> {
    this.closed++;
    return Promise.resolve();
  }
}

/** A sink whose batches settle only when the test says so. */
class ManualSink implements Sink {
  readonly name = 'manual';
  storesProgress = false;
  readonly outcomes: BatchOutcome[] = [];
  readonly revoked: number[] = [];
  closed = 0;
  flushes: (signal: AbortSignal) => Promise<void> = () => Promise.resolve();
  onWrite: () => void = () => undefined;
  /** What becomes of the write itself: a full sink makes the next batch wait. */
  accepts: (batch: RecordBatch, signal: AbortSignal) => Promise<void> = () => Promise.resolve();
  onRevoked: (lane: number) => void = () => undefined;

  write(batch: RecordBatch, outcome: BatchOutcome, signal: AbortSignal): Promise<void> {
    this.outcomes.push(outcome);
    const accepted = this.accepts(batch, signal);
    this.onWrite();
    return accepted;
  }

  flush(signal: AbortSignal): Promise<void> {
    return this.flushes(signal);
  }

  revoke(lane: number): Promise<void> {
    this.revoked.push(lane);
    this.onRevoked(lane);
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.closed++;
    return Promise.resolve();
  }
}

async function started(steps: readonly Step[], drainTimeoutMs = 50, observer: PipelineObserver = {}) {
  const source = new ScriptedSource(steps);
  const sink = new ManualSink();
  const stop = new AbortController();
  const all = new Promise<void>((resolve) => {
    sink.onWrite = () => {
      if (sink.outcomes.length === steps.length) resolve();
    };
  });
  const done = runPipeline({ source, sink, signal: stop.signal, drainTimeoutMs, observer });
  done.catch(() => undefined);
  await all;
  return { source, sink, stop, done };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('a batch is confirmed only when it and every batch before it in its lane have settled', async () => {
  const run = await started([
    { lane: 0, checkpoint: 'a' },
    { lane: 0 },
    { lane: 0, checkpoint: 'c' },
    { lane: 1, checkpoint: 'z' },
  ]);
  run.sink.outcomes[2]!.settled();
  run.sink.outcomes[3]!.settled();
  await turn();
  expect(run.source.confirmed).toEqual([[1, 'z']]);
  run.sink.outcomes[0]!.settled();
  await turn();
  expect(run.source.confirmed).toEqual([
    [1, 'z'],
    [0, 'a'],
  ]);
  run.sink.outcomes[1]!.settled();
  await turn();
  expect(run.source.confirmed).toEqual([
    [1, 'z'],
    [0, 'a'],
    [0, 'c'],
  ]);
  run.stop.abort();
  await run.done;
});

test('a stop finishes and confirms what was read, then closes both', async () => {
  const run = await started([{ lane: 0, checkpoint: 'a' }]);
  run.sink.flushes = async () => {
    await turn();
    run.sink.outcomes[0]!.settled();
  };
  run.stop.abort(new Error('SIGTERM'));
  await run.done;
  expect(run.source.confirmed).toEqual([[0, 'a']]);
  expect([run.sink.closed, run.source.closed]).toEqual([1, 1]);
});

test('a stop that cannot finish in time ends without confirming what did not settle', async () => {
  const run = await started([{ lane: 0, checkpoint: 'a' }]);
  run.sink.flushes = (signal) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('too late'))));
  run.stop.abort();
  await run.done;
  expect(run.source.confirmed).toEqual([]);
  expect(run.source.closed).toBe(1);
});

test('a batch that fails after it was accepted ends the pipeline with its cause; later ones confirm nothing', async () => {
  const run = await started([
    { lane: 0, checkpoint: 'a' },
    { lane: 0, checkpoint: 'b' },
  ]);
  const failure = new Error('disk full');
  run.sink.outcomes[0]!.failed(failure);
  run.sink.outcomes[1]!.settled();
  await expect(run.done).rejects.toBe(failure);
  expect(run.source.confirmed).toEqual([]);
  expect([run.sink.closed, run.source.closed]).toEqual([1, 1]);
});

test('a confirm that fails ends the pipeline', async () => {
  const run = await started([{ lane: 0, checkpoint: 'a' }]);
  const failure = new Error('coordinator gone');
  run.source.confirm = () => Promise.reject(failure);
  run.sink.outcomes[0]!.settled();
  await expect(run.done).rejects.toBe(failure);
});

test('while a confirm is in flight, the next one waits and takes the newest checkpoint', async () => {
  const run = await started([
    { lane: 0, checkpoint: 'a' },
    { lane: 0, checkpoint: 'b' },
    { lane: 0, checkpoint: 'c' },
  ]);
  const gates: Array<() => void> = [];
  run.source.confirmGate = new Promise((resolve) => gates.push(resolve));
  for (const outcome of run.sink.outcomes) outcome.settled();
  for (const open of gates) open();
  await turn();
  expect(run.source.confirmed).toEqual([
    [0, 'a'],
    [0, 'c'],
  ]);
  run.stop.abort();
  await run.done;
});

test('a lane that is given up waits for work in flight within the bound, and is never confirmed afterwards', async () => {
  const run = await started([
    { lane: 3, checkpoint: 'a' },
    { lane: 4, checkpoint: 'y' },
  ]);
  await run.source.revoke!(3, 'released');
  expect(run.sink.revoked).toEqual([3]);
  run.sink.outcomes[0]!.settled();
  run.sink.outcomes[1]!.settled();
  await turn();
  expect(run.source.confirmed).toEqual([[4, 'y']]);
  run.stop.abort();
  await run.done;
});

test('a lane that is given up is confirmed as far as it settles within the bound', async () => {
  const run = await started([{ lane: 3, checkpoint: 'a' }], 5_000);
  const given = run.source.revoke!(3, 'released');
  run.sink.outcomes[0]!.settled();
  await given;
  expect(run.source.confirmed).toEqual([[3, 'a']]);
  run.stop.abort();
  await run.done;
});

test('a sink that stores by itself how far it has come is told of a released lane at once', async () => {
  const run = await started([{ lane: 3, checkpoint: 'a' }], 60_000);
  run.sink.storesProgress = true;
  await run.source.revoke!(3, 'released');
  expect(run.sink.revoked).toEqual([3]);
  run.sink.outcomes[0]!.settled();
  await turn();
  expect(run.source.confirmed).toEqual([]);
  run.stop.abort();
  await run.done;
});

test('a lane that is lost is stopped at once, also while it is being released', async () => {
  const run = await started(
    [
      { lane: 3, checkpoint: 'a' },
      { lane: 4, checkpoint: 'y' },
    ],
    60_000,
  );
  const released = run.source.revoke!(3, 'released');
  expect(run.sink.revoked).toEqual([]);
  await Promise.all([released, run.source.revoke!(3, 'lost'), run.source.revoke!(4, 'lost')]);
  expect(run.sink.revoked).toEqual([3, 4]);
  for (const outcome of run.sink.outcomes) outcome.settled();
  await turn();
  expect(run.source.confirmed).toEqual([]);
  run.stop.abort();
  await run.done;
});

/** Lane 3 is not accepted until it is revoked; everything else at once. */
function fullForLane3(sink: ManualSink): void {
  sink.accepts = ({ lane }) =>
    lane === 3
      ? new Promise((_, reject) => {
          sink.onRevoked = () => reject(new Error('lane revoked'));
        })
      : Promise.resolve();
}

test('a lane that is given up in the middle of a write does not stop the others', async () => {
  const source = new ScriptedSource([
    { lane: 3, checkpoint: 'a' },
    { lane: 4, checkpoint: 'y' },
  ]);
  const sink = new ManualSink();
  fullForLane3(sink);
  const written: number[] = [];
  const abandoned: number[] = [];
  const observer: PipelineObserver = {
    batchRead: ({ lane }) => void written.push(lane),
    batchAbandoned: ({ lane }) => void abandoned.push(lane),
  };
  const stop = new AbortController();
  const done = runPipeline({ source, sink, signal: stop.signal, drainTimeoutMs: 20, observer });
  done.catch(() => undefined);
  while (sink.outcomes.length < 1) await turn();
  await source.revoke!(3, 'released');
  await turn();
  expect(written).toEqual([3, 4]);
  expect(abandoned).toEqual([3]);
  sink.outcomes[1]!.settled();
  await turn();
  expect(source.confirmed).toEqual([[4, 'y']]);
  stop.abort();
  await done;
});

test('a stop while the sink accepts nothing ends within the bound', async () => {
  const source = new ScriptedSource([{ lane: 0, checkpoint: 'a' }]);
  const sink = new ManualSink();
  sink.accepts = (_batch, signal) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
  const stop = new AbortController();
  const done = runPipeline({ source, sink, signal: stop.signal, drainTimeoutMs: 20 });
  while (sink.outcomes.length < 1) await turn();
  stop.abort(new Error('SIGTERM'));
  await done;
  expect(source.confirmed).toEqual([]);
  expect([sink.closed, source.closed]).toEqual([1, 1]);
});
