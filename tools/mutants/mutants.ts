/** One deliberate break of the product and the test that has to notice it. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  /** Occurs once in the file. */
  readonly from: string;
  readonly to: string;
  /** File of the test; with `.integration.` in its name it runs against real servers. */
  readonly test: string;
  /** The test's name, or its beginning. */
  readonly named: string;
}

const SINK = 'libs/search-sink';
const CONSUMER = 'libs/change-consumer';
const HOOKS = 'libs/webhook-sink';
const ROWS = `${SINK}/test/rows.integration.test.ts`;
const CONSUMING = `${CONSUMER}/test/change-consumer.integration.test.ts`;

/** What each of these lines prevents is loss, disorder or duplication. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: 'acknowledge one byte too far',
    file: 'libs/postgres-source/src/stream/acknowledger.ts',
    from: '    this.#raise(endLsn);\n',
    // oxlint-disable-next-line no-template-curly-in-string -- code
    to: '    this.#raise((endLsn + 1n) as Lsn);\n',
    test: 'libs/postgres-source/src/stream/acknowledger.test.ts',
    named: 'what is received is not confirmed',
  },
  {
    name: 'confirm past a batch that has not settled',
    file: 'libs/flow/src/watermark.ts',
    from: 'if (!entry.settled) break;',
    to: 'if (!entry.settled) continue;',
    test: 'libs/flow/src/watermark.test.ts',
    named: 'a checkpoint becomes safe only when every batch before it has settled',
  },
  {
    name: 'store the position of a session that slept over that of its successor',
    file: 'libs/postgres-source/src/setup/state.ts',
    from: "coalesce(facts ->> 'reservedBy', '') = ANY ($5::text[])",
    to: 'true',
    test: 'libs/postgres-source/test/stored-position.integration.test.ts',
    named: 'a session that slept',
  },
  {
    name: 'settle a batch with its first partition',
    file: 'libs/kafka-sink/src/delivery.ts',
    from: 'if (this.#holds === 0 && !this.#isFailed)',
    to: 'if (!this.#isFailed)',
    test: 'libs/kafka-sink/test/exactly-once.integration.test.ts',
    named: 'a batch settles only when its records are durable',
  },
  {
    name: 'commit what was handed out, before its bulk',
    file: `${CONSUMER}/src/consumed-lane.ts`,
    from: 'if (this.outstanding.length > 0 || this.passedTo <= this.confirmedTo) return;',
    to: 'if (this.passedTo <= this.confirmedTo) return;',
    test: CONSUMING,
    named: 'a heartbeat does not carry the offset past records that are not confirmed',
  },
  {
    name: 'hand out records that came before',
    file: `${CONSUMER}/src/batch-filler.ts`,
    from: 'if (commitLsn < this.#seenLsn) return false;',
    to: 'if (commitLsn < 0n) return false;',
    test: CONSUMING,
    named: 'a record that came before is skipped',
  },
  {
    name: 'take a late answer for a membership',
    file: `${CONSUMER}/src/lease.ts`,
    from: 'while (!this.isValid) {',
    to: 'if (!this.isValid) {',
    test: `${CONSUMER}/src/lease.test.ts`,
    named: 'an answer that came too late',
  },
  {
    name: 'drain a lane that is lost',
    file: 'libs/pipeline/src/run-pipeline.ts',
    from: "if (how === 'released') {",
    to: 'if (how.length > 0) {',
    test: 'libs/pipeline/src/run-pipeline.test.ts',
    named: 'a lane that is lost is stopped at once',
  },
  {
    name: 'write for an ownership that is over',
    file: `${SINK}/src/bulk-sender.ts`,
    from: '    chunk.killForeign();\n',
    to: '',
    test: `${SINK}/test/faults.integration.test.ts`,
    named: 'a bulk of a lane that was lost and is ours again is not sent',
  },
  {
    name: 'take a conflict for a refusal',
    file: `${SINK}/src/bulk-sender.ts`,
    from: '      if (failure.status === 409) continue;\n',
    to: '',
    test: ROWS,
    named: 'a replay of everything, and a zombie with an older part of it, change nothing',
  },
  {
    name: 'forget big values that an update left out',
    file: `${SINK}/src/row-writer.ts`,
    from: 'if (reader.unchanged.length > 0 && this.#functions.builder.needsPrevious(reader)) {',
    to: 'if (reader.unchanged.length < 0) {',
    test: ROWS,
    named: 'an update that left its big value out keeps the one in the index',
  },
  {
    name: 'let an older change of a bulk replace a newer one',
    file: `${SINK}/src/chunk.ts`,
    from: '(this.versions[at] ?? 0n) <= version',
    to: '(this.versions[at] ?? 0n) >= 0n',
    test: `${SINK}/src/chunk.test.ts`,
    named: 'an older action is not accepted over a newer one',
  },
  {
    name: 'spread the changes of one document over two lanes',
    file: `${SINK}/src/bulk-lanes.ts`,
    from: 'if (lane.pending(table, id) !== null) return lane;',
    to: 'if (lane.pending(table, id) === undefined) return lane;',
    test: `${SINK}/src/bulk-lanes.test.ts`,
    named: 'a document',
  },
  {
    name: 'give all changes of a transaction one version',
    file: `${SINK}/src/version.ts`,
    from: 'seq < MAX_VERSIONED_SEQ ? seq : MAX_VERSIONED_SEQ',
    to: 'MAX_VERSIONED_SEQ',
    test: `${SINK}/src/version.test.ts`,
    named: 'versions grow along a transaction',
  },
  {
    name: 'count an index as shown when a bulk to it carried a refresh',
    file: `${SINK}/src/refresher.ts`,
    from: 'for (const index of indices) index.refreshedMs = now;',
    to: 'for (const index of indices) this.#dirty.delete(index);',
    test: `${SINK}/src/refresher.test.ts`,
    named: 'what was written before a bulk carried the refresh',
  },
  {
    name: 'delete the old document of a row before its new one is durable',
    file: `${SINK}/src/row-writer.ts`,
    from: 'if (previous === undefined) this.#actions.delete(table, old, batch, row);',
    to: 'if (previous !== null) this.#actions.delete(table, old, batch, row);',
    test: `${SINK}/test/faults.integration.test.ts`,
    named: 'a row whose key changed keeps the value that the log does not repeat',
  },
  {
    name: 'tell of a partition before its hand-over has ended',
    file: `${CONSUMER}/src/assignments.ts`,
    from: 'if (this.isHandingOver || this.#untold.length === 0) return;',
    to: 'if (this.#untold.length === 0) return;',
    test: CONSUMING,
    named: 'a partition that comes back waits until its old batches are out of the way',
  },
  {
    name: 'let a late cursor undo a replay',
    file: `${HOOKS}/src/store/cursor-store.ts`,
    from: 'WHERE c.generation = excluded.generation',
    to: 'WHERE true',
    test: `${HOOKS}/test/replay.integration.test.ts`,
    named: 'a worker that owns the partition goes back although another process was asked',
  },
  {
    name: 'replay what retention has taken, in silence',
    file: `${HOOKS}/src/replay/replay.ts`,
    from: 'if (hasEarlier || start === 0) return;',
    to: 'return;',
    test: `${HOOKS}/test/replay.integration.test.ts`,
    named: 'what retention has taken, or may have taken, is refused',
  },
  {
    name: 'deliver again what the store knows to be settled ahead',
    file: `${HOOKS}/src/store/cursor-store.ts`,
    from: 'CASE WHEN c.ahead_generation = c.generation THEN c.ahead END AS ahead',
    to: 'NULL AS ahead',
    test: `${HOOKS}/test/hand-over.integration.test.ts`,
    named: 'what was answered behind an event that is refused is not delivered again by the next owner',
  },
  {
    name: 'skip what a replay asks for, since it was settled ahead before',
    file: `${HOOKS}/src/store/cursor-store.ts`,
    from: 'CASE WHEN c.ahead_generation = c.generation THEN',
    to: 'CASE WHEN true THEN',
    test: `${HOOKS}/test/store.integration.test.ts`,
    named: 'a cursor that was moved back is not moved on',
  },
  {
    name: 'open lanes of a partition that has gone meanwhile',
    file: `${HOOKS}/src/deliver/subscribers.ts`,
    from: '    if (owned.isRevoked || this.#isStopped) return;\n    for (const [id, endpoint]',
    to: '    for (const [id, endpoint]',
    test: `${HOOKS}/test/hand-over.integration.test.ts`,
    named: 'a partition that goes while it is being opened leaves no lane behind that sends',
  },
  {
    name: 'nobody tells who waits that there is room',
    file: `${HOOKS}/src/deliver/subscription-lane.ts`,
    from: 'if (this.#progress.length > 0 && this.hasRoom) this.#wakeWaiting();',
    to: '',
    test: `${HOOKS}/src/deliver/subscription-lane.test.ts`,
    named: 'who waits for room',
  },
];
