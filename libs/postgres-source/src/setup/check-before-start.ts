import { PipelineError } from '@pgstream/failure';
import { parseLsn } from '@pgstream/wal-event';
import type { Sql } from '../sql.ts';
import { listPublications } from './publication.ts';
import { serverFacts, slotFacts, type ServerFacts, type SlotFacts } from './server.ts';
import { loadState, type ReplicationState } from './state.ts';

export interface StartCheckOptions {
  readonly slot: string;
  /** The last commit that the sink is known to hold, in LSN text: it may be ahead of the stored position. */
  readonly sinkLsn?: string;
  /** What the publications should be; default: what was recorded. */
  readonly publicationOids?: Readonly<Record<string, string>>;
}

/** What START_REPLICATION goes on from. */
export interface StartState {
  readonly state: ReplicationState;
  readonly server: ServerFacts;
  readonly slot: SlotFacts;
  readonly confirmedLsn: string;
}

interface Found {
  readonly state: ReplicationState;
  readonly server: ServerFacts;
  readonly slot: SlotFacts | null;
  /** Stored position or the sink's, whichever is larger; `null` where nobody stored one. */
  readonly storedLsn: string | null;
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
  const state = await loadState(sql, options.slot);
  if (state === null || state.consistentPoint === null) {
    throw new PipelineError('PG_NOT_INITIALISED', { detail: `Slot ${options.slot}.` });
  }
  const found: Found = {
    state,
    server: await serverFacts(sql),
    slot: await slotFacts(sql, options.slot),
    storedLsn: laterLsn(state.confirmedLsn, options.sinkLsn ?? null),
    publications: new Map((await listPublications(sql)).map((one) => [one.name, one.oid])),
    options,
  };
  for (const check of CHECKS) {
    const error = check(found);
    if (error !== null) throw error;
  }
  const { slot, server } = found;
  if (slot === null) throw new PipelineError('PG_SLOT_MISSING', { detail: `Slot ${options.slot}.` });
  return { state, server, slot, confirmedLsn: slot.confirmedLsn ?? state.consistentPoint };
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

const slotMissing: Check = ({ state, slot, storedLsn }) =>
  slot === null
    ? new PipelineError('PG_SLOT_MISSING', {
        detail: `Slot ${state.slot}; the changes after ${storedLsn ?? state.consistentPoint} are not in any slot.`,
      })
    : null;

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

const timelineChanged: Check = ({ state, server, slot, storedLsn }) => {
  if (server.timeline === state.timeline) return null;
  const behind = storedLsn !== null && isLater(storedLsn, server.walLsn);
  const verdict = behind
    ? `The log holds changes up to ${storedLsn}, which this server (at ${server.walLsn}) lost.`
    : `The slot stands at ${slot?.confirmedLsn}, the stored position is ${storedLsn ?? 'unknown'}: nothing is missing as far as they tell.`;
  return new PipelineError('PG_TIMELINE_CHANGED', {
    detail: `Timeline ${server.timeline}, recorded ${state.timeline}. ${verdict}`,
  });
};

const positionAhead: Check = ({ server, storedLsn }) =>
  storedLsn !== null && isLater(storedLsn, server.walLsn)
    ? new PipelineError('PG_POSITION_AHEAD', {
        detail: `Stored ${storedLsn}, the server is at ${server.walLsn}.`,
      })
    : null;

/** The sink does not count here: the slot stands behind its last record, at the end of that commit or of idle WAL. */
const slotAdvanced: Check = ({ state, slot }) => {
  const confirmed = slot?.confirmedLsn ?? null;
  const stored = state.confirmedLsn;
  if (confirmed === null || stored === null) return null;
  if (!isLater(confirmed, laterLsn(stored, state.facts.reservedLsn) ?? stored)) return null;
  return new PipelineError('PG_SLOT_ADVANCED', {
    detail: `Slot ${state.slot} stands at ${confirmed}, the stored position is ${stored}.`,
  });
};

const CHECKS: readonly Check[] = [
  otherCluster,
  standby,
  publicationMissing,
  slotMissing,
  slotForeign,
  slotLost,
  timelineChanged,
  positionAhead,
  slotAdvanced,
];

function laterLsn(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b;
  return isLater(a, b) ? a : b;
}

function isLater(a: string, b: string): boolean {
  return parseLsn(a) > parseLsn(b);
}
