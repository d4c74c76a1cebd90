import { Buffer } from 'node:buffer';
import { ACTION, valueAt, type RecordBatch } from '@pgstream/wal-event';
import { setImmediate } from 'node:timers/promises';
import type { LogChunk } from '../log-source.ts';
import type { DeliveryContext } from './delivery-context.ts';
import { LogEvent } from './log-event.ts';
import { patiently } from './patiently.ts';
import type { Slots } from './slots.ts';
import type { SubscriptionLane } from './subscription-lane.ts';

export interface FeedOptions {
  readonly context: DeliveryContext;
  readonly target: SubscriptionLane;
  /** Joins the live reading, if it has been reached. */
  readonly attach: () => boolean;
  /** Whether what the log has lost was owed. */
  readonly mayHaveGap: () => boolean;
}

const ROOM_CHECK_MS = 1_000;
const EMPTY_PAUSE_MS = 50;
/** Of a read for the one event that a probe sends: a batch that is larger comes all the same. */
const PROBE_BYTES = 64 * 1024;
/** So many records of a chunk are offered, or passed over, in one turn of the event loop: others send meanwhile. */
const [OFFERED_PER_TURN, PASSED_PER_TURN] = [64, 256];

/** Reads the log for one subscription that is behind, in order, until it has come to the live reading or is stopped. */
export async function feed(options: FeedOptions): Promise<void> {
  const { target, context, attach } = options;
  let maxBytes: number | undefined;
  while (!target.signal.aborted) {
    if (target.state === 'detached') {
      await target.lane.drop();
      await target.endpoint.untilReadable(target.signal);
      if (target.signal.aborted) return;
      target.resumed();
      maxBytes = PROBE_BYTES;
    }
    if (attach()) return;
    // What nobody takes is not fetched: an endpoint that never answers would cost the others a read of the log.
    await untilRoom(target);
    if (isOver(target)) continue;
    const chunk = await read(options, maxBytes);
    // Where little held nothing that is wanted, much is read to find it.
    maxBytes = undefined;
    await noteGap(options, chunk);
    target.wasRead();
    const from = target.lane.offered;
    if (!(await offerAll(options, chunk))) continue;
    target.lane.pass(chunk.nextOffset);
    context.onProgress(false);
    // The live reading is ahead of us and yet the log had nothing: a moment later it has.
    if (target.lane.offered === from) await target.progress(EMPTY_PAUSE_MS);
  }
}

/** Resolves when one more may be offered, or when it is over. */
async function untilRoom(target: SubscriptionLane): Promise<void> {
  // oxlint-disable-next-line no-await-in-loop -- until there is
  while (!mayOffer(target) && !isOver(target)) await target.progress(ROOM_CHECK_MS);
}

/**
 * While its circuit is open nothing is sent, and of what is offered to one that is half-open one event: before that has
 * been answered, a window would be filled for nothing. What can be neither sent nor parked does not count: it probes nothing.
 */
function mayOffer({ endpoint: { circuitState }, hasRoom, lane }: SubscriptionLane): boolean {
  if (!hasRoom || circuitState === 'open') return false;
  return circuitState === 'closed' || !lane.isSending;
}

async function read({ context, target }: FeedOptions, maxBytes: number | undefined): Promise<LogChunk> {
  const { readers, observer, log } = context;
  const { signal } = target;
  // oxlint-disable-next-line no-await-in-loop -- until one is ours
  while (!(await isTaken(readers))) signal.throwIfAborted();
  try {
    signal.throwIfAborted();
    const limits = { signal, ...(maxBytes !== undefined && { maxBytes }) };
    return await patiently({ observer, notice: 'log_retrying', signal }, () =>
      log.read(target.partition, target.lane.offered, limits),
    );
  } finally {
    readers.giveBack();
  }
}

/** False once one is free that was not. */
async function isTaken(slots: Slots): Promise<boolean> {
  return await new Promise((resolve) => {
    if (slots.take(() => resolve(false))) resolve(true);
  });
}

/** Nothing is skipped in silence: what retention took before it was read is written down. */
async function noteGap({ context, target, mayHaveGap }: FeedOptions, { logStart }: LogChunk): Promise<void> {
  const { lane, partition, id, signal } = target;
  const fromOffset = lane.offered;
  if (logStart <= fromOffset) return;
  if (mayHaveGap()) {
    const { cursors, observer } = context;
    const gap = { subscriptionId: id, partition, fromOffset, toOffset: logStart, reason: 'retention' };
    await patiently({ observer, notice: 'store_retrying', signal }, () => cursors.recordGap(gap));
    observer.notice?.('gap', { subscription: id, partition, from: fromOffset, to: logStart });
  }
  lane.pass(logStart);
}

/** False when the circuit opened on the way: what was read is read again. */
async function offerAll(options: FeedOptions, { batch }: LogChunk): Promise<boolean> {
  const { target } = options;
  const { lane } = target;
  let offered = 0;
  for (let i = 0; i < batch.count; i++) {
    const offset = batch.offsets?.[i] ?? 0;
    if (offset < lane.offered) continue;
    const event = wanted(options, batch, i);
    if (event === undefined) {
      lane.pass(offset + 1);
      // oxlint-disable-next-line no-await-in-loop -- others have their turn
      if (i % PASSED_PER_TURN === PASSED_PER_TURN - 1) await setImmediate();
      continue;
    }
    // oxlint-disable-next-line no-await-in-loop -- one place after the other
    if (!mayOffer(target)) await untilRoom(target);
    if (isOver(target)) return false;
    target.offer(event);
    event.ready([target.endpoint.subscription.format]);
    // oxlint-disable-next-line no-await-in-loop -- others have their turn
    if (++offered % OFFERED_PER_TURN === 0) await setImmediate();
  }
  return !isOver(target);
}

function isOver({ signal, state }: SubscriptionLane): boolean {
  return signal.aborted || state === 'detached';
}

function wanted({ context, target }: FeedOptions, batch: RecordBatch, index: number): LogEvent | undefined {
  const { matcher } = target.endpoint;
  const table = batch.tables[index];
  const isMessage = batch.actions[index] === ACTION.message;
  if (!isMessage && table !== undefined && !matcher.mayMatch(table)) return undefined;
  const event = new LogEvent(
    {
      offset: batch.offsets?.[index] ?? 0,
      commitTimeMs: batch.commitTimesMs[index] ?? 0,
      origin: context.topic,
    },
    // A copy: otherwise one event that waits would keep the whole chunk.
    Buffer.from(valueAt(batch, index)),
    context.budget,
  );
  if (!matcher.matches(event)) return undefined;
  return context.isRepeated?.(target.id, event.offset, event.record) === true ? undefined : event;
}
