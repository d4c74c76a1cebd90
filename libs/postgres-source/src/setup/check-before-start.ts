import { PipelineError } from '@pgstream/failure';
import { parseLsn } from '@pgstream/wal-event';
import type { ClientConfig } from 'pg';
import type { Sql } from '../sql.ts';
import { listPublications } from './publication.ts';
import { serverFacts, slotFacts, type ServerFacts, type SlotFacts } from './server.ts';
import { leftTimelineAt } from './timeline.ts';
import { loadState, type ReplicationState } from './state.ts';

export interface StartCheckOptions {
  readonly slot: string;
  /** The last commit that the sink is known to hold, in LSN text: it may be ahead of the stored position. */
  readonly sinkLsn?: string;
  /** The session that asks again, by its token, and how far it has told the slot at most. */
  readonly ours?: { readonly token: string; readonly confirmedLsn: string };
  /** Lets the check read where the server left the recorded timeline. */
  readonly connection?: ClientConfig;
  /** What the publications should be; default: what was recorded. */
  readonly publicationOids?: Readonly<Record<string, string>>;
}

/** What START_REPLICATION goes on from. */
export interface StartState {
  readonly state: ReplicationState;
  readonly server: ServerFacts;
  readonly slot: SlotFacts;
  readonly confirmedLsn: string;
  /** A failover in which nothing is missing on either side: to be recorded before START. */
  readonly failover: Failover | null;
}

export interface Failover {
  readonly from: number;
  readonly to: number;
  /** Where the new timeline begins. */
  readonly switchLsn: string;
}

interface Found {
  readonly state: ReplicationState;
  readonly server: ServerFacts;
  readonly slot: SlotFacts | null;
  /** Stored position or the sink's, whichever is larger; `null` where nobody stored one. */
  readonly storedLsn: string | null;
  /** Where the server left the recorded timeline; `null` while it is on it, or where nobody can tell. */
  readonly switchLsn: string | null;
  readonly publications: ReadonlyMap<string, string>;
  readonly options: StartCheckOptions;
}

type Check = (found: Found) => PipelineError | null;

/**
 * Compares what was recorded with what is there. A difference means that changes are, or would be, missing: START never
 * goes on over it. In this order, the first finding is the cause of those after it.
 * @throws {PipelineError} PG_NOT_INITIALISED, PG_OTHER_CLUSTER, PG_PUBLICATION_MISSING, PG_SLOT_MISSING, PG_SLOT_FOREIGN,
 *   PG_SLOT_LOST, PG_TIMELINE_CHANGED, PG_POSITION_AHEAD, PG_SLOT_ADVANCED: all exit 78.
 */
export async function checkBeforeStart(sql: Sql, options: StartCheckOptions): Promise<StartState> {
  // A leader stores a position before it tells the slot, and both before WAL ends there: read in the other order, what a
  // leader does meanwhile cannot look like somebody else's hand on the slot
  let seen = await slotFacts(sql, options.slot);
  const state = await loadState(sql, options.slot);
  if (state === null || state.consistentPoint === null) {
    throw new PipelineError('PG_NOT_INITIALISED', { detail: `Slot ${options.slot}.` });
  }
  // An init that made the slot in between
  if (isOlder(seen, state)) seen = await slotFacts(sql, options.slot);
  const server = await serverFacts(sql);
  const found: Found = {
    state,
    server,
    switchLsn: await switchLsnOf(state, server, options),
    slot: seen,
    storedLsn: laterLsn(state.confirmedLsn, options.sinkLsn ?? null),
    publications: new Map((await listPublications(sql)).map((one) => [one.name, one.oid])),
    options,
  };
  for (const check of CHECKS) {
    const error = check(found);
    if (error !== null) throw error;
  }
  const { slot } = found;
  if (slot === null) throw new PipelineError('PG_SLOT_MISSING', { detail: `Slot ${options.slot}.` });
  return {
    state,
    server,
    slot,
    confirmedLsn: slot.confirmedLsn ?? state.consistentPoint,
    failover: failoverOf(found),
  };
}

/** The slot is not, or not yet, the one that the state speaks of. */
function isOlder(slot: SlotFacts | null, { consistentPoint }: ReplicationState): boolean {
  const confirmed = slot?.confirmedLsn ?? null;
  return confirmed === null || consistentPoint === null || isLater(consistentPoint, confirmed);
}

async function switchLsnOf(
  state: ReplicationState,
  { systemId, timeline }: ServerFacts,
  { connection }: StartCheckOptions,
): Promise<string | null> {
  if (timeline === state.timeline) return state.facts.acceptedSwitch ?? null;
  if (connection === undefined || timeline === null) return null;
  return systemId === state.systemId ? await leftTimelineAt(connection, state.timeline, timeline) : null;
}

function failoverOf({ state, server, switchLsn }: Found): Failover | null {
  const { timeline: to } = server;
  return switchLsn === null || to === null ? null : { from: state.timeline, to, switchLsn };
}

const otherCluster: Check = ({ state, server }) =>
  state.systemId === server.systemId
    ? null
    : new PipelineError('PG_OTHER_CLUSTER', {
        detail: `System identifier ${server.systemId}, recorded ${state.systemId} (slot ${state.slot}).`,
      });

const standby: Check = ({ server }) =>
  server.inRecovery
    ? new PipelineError('PG_PREFLIGHT_FAILED', {
        detail: 'The server is a standby: use the URL of the primary.',
      })
    : null;

const publicationMissing: Check = ({ state, publications, options }) => {
  const wanted = Object.entries(options.publicationOids ?? state.facts.publicationOids);
  const gone = wanted.filter(([name]) => !publications.has(name)).map(([name]) => name);
  const recorded = state.facts.publicationOids;
  const remade = Object.keys(recorded).filter(
    (name) => publications.has(name) && publications.get(name) !== recorded[name],
  );
  if (gone.length + remade.length === 0) return null;
  const words = [
    ...gone.map((name) => `${name} does not exist`),
    ...remade.map((name) => `${name} was made anew`),
  ];
  return new PipelineError('PG_PUBLICATION_MISSING', { detail: `Publication ${words.join(', ')}.` });
};

const slotMissing: Check = ({ state, slot, storedLsn, server, switchLsn, options }) => {
  if (slot !== null) return null;
  const from = storedLsn ?? state.consistentPoint;
  const promoted = switchLsn === null ? '' : ` ${promotionText(state, server, switchLsn, options)}`;
  return new PipelineError('PG_SLOT_MISSING', {
    detail: `Slot ${state.slot}: the changes after ${from} are in no slot, up to where a new slot begins (the server is at ${server.walLsn}).${promoted} The command: pgstream init --slot-only --accept-gap.`,
    facts: { gapFrom: from ?? '', gapTo: server.walLsn },
  });
};

// oxlint-disable-next-line max-params -- the facts of one sentence
function promotionText(
  state: ReplicationState,
  server: ServerFacts,
  switchLsn: string,
  { sinkLsn }: StartCheckOptions,
): string {
  const where = `The server was promoted from timeline ${state.timeline} to ${server.timeline} at ${switchLsn}`;
  return sinkLsn === undefined
    ? `${where}: what the target holds of ${switchLsn} and later, this server never had.`
    : `${where}, and the log ends before that: nothing that was published is missing there.`;
}

/** What was published from here on, this server never had, and it writes something else at the same positions. */
const diverged: Check = ({ state, server, switchLsn, options }) => {
  const { sinkLsn } = options;
  if (switchLsn === null || sinkLsn === undefined || isLater(switchLsn, sinkLsn)) return null;
  return new PipelineError('PG_TIMELINE_CHANGED', {
    detail: `Timeline ${server.timeline}, recorded ${state.timeline}, which the server left at ${switchLsn}. The log holds changes from there up to ${sinkLsn} that this server never had. The command: pgstream init --slot-only --new-epoch.`,
    facts: { lostFrom: switchLsn, lostTo: sinkLsn, gapFrom: switchLsn, gapTo: server.walLsn },
  });
};

const slotForeign: Check = ({ state, slot, server }) => {
  if (slot === null) return null;
  const detail = foreignReason(state, slot, server);
  return detail === null
    ? null
    : new PipelineError('PG_SLOT_FOREIGN', { detail: `Slot ${state.slot}: ${detail}.` });
};

function foreignReason(state: ReplicationState, slot: SlotFacts, server: ServerFacts): string | null {
  if (slot.plugin !== 'pgoutput') return `its plugin is ${slot.plugin}, not pgoutput`;
  if (slot.database !== server.database) return `it belongs to database ${slot.database}`;
  if (
    slot.confirmedLsn !== null &&
    state.consistentPoint !== null &&
    isLater(state.consistentPoint, slot.confirmedLsn)
  ) {
    return `it stands at ${slot.confirmedLsn}, before the point ${state.consistentPoint} where ours began`;
  }
  return null;
}

const slotLost: Check = ({ state, slot }) => {
  const reason = slot?.walStatus === 'lost' ? 'wal_status is lost' : (slot?.invalidationReason ?? null);
  return reason === null
    ? null
    : new PipelineError('PG_SLOT_LOST', { detail: `Slot ${state.slot}: ${reason}.` });
};

/** Where the log is known, {@link diverged} has judged it, and a slot that came along resumes exactly. */
const timelineChanged: Check = (found) => {
  const { state, server, switchLsn, options } = found;
  if (server.timeline === state.timeline) return null;
  if (switchLsn !== null && options.sinkLsn !== undefined) return null;
  const left = switchLsn === null ? '' : ` The server left it at ${switchLsn}.`;
  return new PipelineError('PG_TIMELINE_CHANGED', {
    detail: `Timeline ${server.timeline}, recorded ${state.timeline}.${left} ${timelineVerdict(found)}`,
    facts: switchLsn === null ? {} : { lostFrom: switchLsn },
  });
};

function timelineVerdict({ server, slot, storedLsn, switchLsn }: Found): string {
  const lost = storedLsn !== null && isLater(storedLsn, switchLsn ?? server.walLsn);
  return lost
    ? `Changes up to ${storedLsn} were confirmed, which this server lost.`
    : `The slot stands at ${slot?.confirmedLsn}, the stored position is ${storedLsn ?? 'unknown'}: nothing is missing as far as they tell.`;
}

const positionAhead: Check = ({ state, server, storedLsn }) =>
  server.timeline === state.timeline && storedLsn !== null && isLater(storedLsn, server.walLsn)
    ? new PipelineError('PG_POSITION_AHEAD', {
        detail: `Stored ${storedLsn}, the server is at ${server.walLsn}. The command after a restore: pgstream init --slot-only --new-epoch.`,
        facts: { lostFrom: server.walLsn, lostTo: storedLsn },
      })
    : null;

/** The sink does not count here: the slot stands behind its last record, at the end of that commit or of idle WAL. */
const slotAdvanced: Check = ({ state, slot, options: { ours } }) => {
  const confirmed = slot?.confirmedLsn ?? null;
  const stored = state.confirmedLsn;
  if (confirmed === null || stored === null) return null;
  // Another of ours that led meanwhile would stand in the state: it saves before it tells the slot anything
  const isOurs = ours !== undefined && state.facts.reservedBy === ours.token;
  const limit = isOurs ? ours.confirmedLsn : (laterLsn(stored, state.facts.reservedLsn) ?? stored);
  if (!isLater(confirmed, limit)) return null;
  return new PipelineError('PG_SLOT_ADVANCED', {
    detail: `Slot ${state.slot} stands at ${confirmed}, the stored position is ${stored}: changes between them may be missing. The command: pgstream init --slot-only --accept-gap.`,
    facts: { gapFrom: stored, gapTo: confirmed },
  });
};

const CHECKS: readonly Check[] = [
  otherCluster,
  standby,
  publicationMissing,
  diverged,
  positionAhead,
  slotMissing,
  slotForeign,
  slotLost,
  timelineChanged,
  slotAdvanced,
];

function laterLsn(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b;
  return isLater(a, b) ? a : b;
}

function isLater(a: string, b: string): boolean {
  return parseLsn(a) > parseLsn(b);
}
