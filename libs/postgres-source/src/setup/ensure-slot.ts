import { PipelineError } from '@pgstream/failure';
import { parseLsn } from '@pgstream/wal-event';
import type { ClientConfig } from 'pg';
import { captureInitialShapes, saveInitialShapes } from '../history/shape-store.ts';
import type { Sql } from '../sql.ts';
import { checkBeforeStart } from './check-before-start.ts';
import type { SetupMode } from './publication.ts';
import { serverFacts, slotFacts, type ServerFacts, type SlotFacts } from './server.ts';
import { createSlot, dropSlot } from './slot.ts';
import { leftTimelineAt, makeFailoverSlot } from './timeline.ts';
import { loadState, recordGap, saveState, takenOver, type ReplicationState } from './state.ts';

export interface EnsureSlotOptions {
  readonly slot: string;
  readonly mode: SetupMode;
  readonly publicationOids: Readonly<Record<string, string>>;
  readonly newEpoch?: boolean;
  readonly acceptTimeline?: boolean;
  readonly acceptGap?: boolean;
  /** Standbys that synchronise slots have this one too. PostgreSQL 17 and newer. */
  readonly failover?: boolean;
  readonly onWaiting?: (blockers: readonly string[]) => void;
}

export interface SlotOutcome {
  readonly created: boolean;
  readonly epoch: number;
  readonly consistentPoint: string;
  /** Why changes before this slot are missing; recorded in pgstream.gaps. */
  readonly gap: string | null;
}

interface Connections {
  readonly sql: Sql;
  readonly connection: ClientConfig;
}

/**
 * The slot and the state that goes with it. Keeps what is sound; replaces what was never used or what the caller gave up
 * (`newEpoch`, `acceptGap`), with the gap recorded.
 * @throws {PipelineError} PG_SLOT_FOREIGN for a slot that pgstream did not make, and those of {@link checkBeforeStart}.
 */
export async function ensureSlot(connections: Connections, options: EnsureSlotOptions): Promise<SlotOutcome> {
  const { sql } = connections;
  const state = await loadState(sql, options.slot);
  const slot = await slotFacts(sql, options.slot);
  if (state === null && slot !== null) {
    throw new PipelineError('PG_SLOT_FOREIGN', {
      detail: `Slot ${options.slot} exists and was not made by init in this database. To drop it: SELECT pg_drop_replication_slot('${options.slot}');`,
    });
  }
  if (state === null || state.consistentPoint === null)
    return replaceSlot(connections, options, { state, gap: null });
  if (options.newEpoch === true) return replaceSlot(connections, options, { state, gap: 'new epoch' });
  const finding = await findingOf(connections, options);
  if (finding === null && options.failover === true)
    await makeFailoverSlot(connections.connection, options.slot);
  return finding === null ? keep(state) : settleFinding(connections, options, { state, slot, finding });
}

interface Finding {
  readonly state: ReplicationState;
  readonly slot: SlotFacts | null;
  readonly finding: PipelineError;
}

/** What the caller accepted is done; anything else is thrown. */
async function settleFinding(
  connections: Connections,
  options: EnsureSlotOptions,
  found: Finding,
): Promise<SlotOutcome> {
  const { state, slot, finding } = found;
  const { code } = finding;
  if (code === 'PG_TIMELINE_CHANGED' && options.acceptTimeline === true)
    return acceptTimeline(connections, state);
  if (NOT_ACCEPTABLE.has(code)) throw finding;
  // A slot from which nothing was ever read is replaced without asking: no sink can have missed anything of it.
  const unused = slot !== null && slot.confirmedLsn === state.consistentPoint;
  if (options.acceptGap !== true && !unused) throw finding;
  if (code === 'PG_SLOT_ADVANCED') return acceptAdvance(connections.sql, state, slot);
  return replaceSlot(connections, options, { state, gap: code });
}

/** Not by `acceptGap`: positions would have no meaning any more, or the server is the wrong one. */
const NOT_ACCEPTABLE: ReadonlySet<string> = new Set([
  'PG_OTHER_CLUSTER',
  'PG_TIMELINE_CHANGED',
  'PG_POSITION_AHEAD',
  'PG_PREFLIGHT_FAILED',
]);

async function findingOf(
  { sql, connection }: Connections,
  options: EnsureSlotOptions,
): Promise<PipelineError | null> {
  try {
    await checkBeforeStart(sql, { slot: options.slot, publicationOids: options.publicationOids, connection });
    return null;
  } catch (error) {
    if (error instanceof PipelineError && error.disposition === 'halt') return error;
    throw error;
  }
}

function keep(state: ReplicationState): SlotOutcome {
  return { created: false, epoch: state.epoch, consistentPoint: state.consistentPoint ?? '0/0', gap: null };
}

async function acceptTimeline(
  { sql, connection }: Connections,
  state: ReplicationState,
): Promise<SlotOutcome> {
  const { timeline } = await serverFacts(sql);
  const acceptedSwitch = await switchOf(connection, state, timeline);
  await saveState(sql, {
    ...state,
    timeline: timeline ?? state.timeline,
    facts: { ...takenOver(state.facts), acceptedSwitch },
  });
  return keep(state);
}

/** Where the server left the recorded timeline: what the log has from there on must not exist, as the next start verifies. */
async function switchOf(
  connection: ClientConfig,
  state: ReplicationState,
  timeline: number | null,
): Promise<string | null> {
  return timeline === null || timeline === state.timeline
    ? null
    : await leftTimelineAt(connection, state.timeline, timeline);
}

async function acceptAdvance(
  sql: Sql,
  state: ReplicationState,
  slot: SlotFacts | null,
): Promise<SlotOutcome> {
  const toLsn = slot?.confirmedLsn ?? null;
  const reason = 'PG_SLOT_ADVANCED';
  await recordGap(sql, { slot: state.slot, table: null, fromLsn: state.confirmedLsn, toLsn, reason });
  const facts = { ...takenOver(state.facts), reservedLsn: null };
  await saveState(sql, { ...state, confirmedLsn: toLsn, facts });
  return { ...keep(state), gap: reason };
}

interface Replaced {
  readonly state: ReplicationState | null;
  readonly gap: string | null;
}

async function replaceSlot(
  connections: Connections,
  options: EnsureSlotOptions,
  old: Replaced,
): Promise<SlotOutcome> {
  const { sql, connection } = connections;
  const facts = await serverFacts(sql);
  const draft = draftState(facts, options, old.state);
  const acceptedSwitch = await switchToVerify(connection, old.state, draft);
  await dropSlot(sql, options.slot);
  // First the state, without a consistent point: a crash in between leaves a slot that init knows to be its own.
  await saveState(sql, draft);
  const { onWaiting, failover = false } = options;
  const slot = await createSlot({
    slot: options.slot,
    connection,
    failover,
    ...(onWaiting === undefined ? {} : { onWaiting }),
  });
  try {
    const { consistentPoint } = slot;
    await slot.inSnapshot(async (inside) => {
      const shapes = await captureInitialShapes(inside);
      await saveInitialShapes(inside, options.slot, parseLsn(consistentPoint), shapes);
    });
    const { catalogXmin = null } = (await slotFacts(sql, options.slot)) ?? {};
    await recordReplacement(sql, old, consistentPoint);
    await saveState(sql, {
      ...draft,
      consistentPoint,
      facts: { ...draft.facts, catalogXmin, acceptedSwitch },
    });
    return { created: true, epoch: draft.epoch, consistentPoint, gap: old.gap };
  } finally {
    await slot.close();
  }
}

async function recordReplacement(sql: Sql, { gap, state }: Replaced, toLsn: string): Promise<void> {
  if (gap === null || state === null) return;
  const fromLsn = state.confirmedLsn ?? state.consistentPoint;
  await recordGap(sql, { slot: state.slot, table: null, fromLsn, toLsn, reason: gap });
}

/** In the same epoch the log may still hold what a promoted server never had. */
async function switchToVerify(
  connection: ClientConfig,
  old: ReplicationState | null,
  draft: ReplicationState,
): Promise<string | null> {
  return old === null || draft.epoch !== old.epoch ? null : await switchOf(connection, old, draft.timeline);
}

function draftState(
  facts: ServerFacts,
  options: EnsureSlotOptions,
  old: ReplicationState | null,
): ReplicationState {
  const otherCluster = old !== null && old.systemId !== facts.systemId;
  return {
    slot: options.slot,
    systemId: facts.systemId,
    timeline: facts.timeline ?? 0,
    epoch: (old?.epoch ?? 1) + (otherCluster || options.newEpoch === true ? 1 : 0),
    consistentPoint: null,
    mode: options.mode,
    publications: Object.keys(options.publicationOids),
    facts: takenOver({ publicationOids: options.publicationOids, catalogXmin: null, reservedLsn: null }),
    confirmedLsn: null,
    routingHash: old?.routingHash ?? null,
  };
}
