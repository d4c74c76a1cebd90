/**
 * Every point at which a test can end, stop or delay a process, and what is true there. `docs/failpoints.md` is printed
 * from it.
 */
export const FAILPOINTS = {
  // PostgreSQL as the source
  'source.start': 'slot and state were compared, START_REPLICATION is about to be sent',
  'source.decoded': 'one read of the stream was decoded, nothing of it was handed on',
  'source.handed-on': 'a batch of records leaves the source',
  'source.checkpoint-before':
    'a position is durable in the sink; table shapes and position are about to be stored',
  'source.checkpoint-after': 'shapes and position are stored, the slot was not told yet',
  'source.status-before': 'the slot is about to be told what is confirmed',
  'source.status-after': 'the slot was told what is confirmed',

  // Between source and sink
  'pipeline.settled': 'a batch settled, nothing of it was confirmed',
  'pipeline.confirmed': 'the source has noted what is confirmed',
  'letters.parking': 'dead letters are about to be written',
  'letters.parked': 'dead letters are durable, their records were not settled',

  // Into Kafka
  'kafka.fencing': 'the ends of the partitions were read, no producer id was taken yet',
  'kafka.id-taken': 'the producer id was taken, no partition has seen its epoch yet',
  'kafka.fenced': 'every partition has seen the new epoch, the ends were not read again',
  'kafka.produce-before': 'a round of batches is about to be sent',
  'kafka.produce-sent': 'a produce request is on the wire, its answer is outstanding',
  'kafka.produce-acked': 'the brokers acknowledged a round, its records were not settled',

  // Out of Kafka
  'consumer.assigned': 'partitions were assigned, nothing of them was read',
  'consumer.handed-on': 'a batch of records leaves the consumer',
  'consumer.release-before': 'a rebalance takes partitions away, work in flight is about to be finished',
  'consumer.release-after': 'the released partitions are finished and committed, the group was not told',
  'consumer.commit-before': 'offsets are about to be committed',
  'consumer.commit-after': 'the group holds the offsets',

  // Into a search store
  'search.bulk-before': 'a bulk is about to be sent',
  'search.bulk-after': 'a bulk was answered, nothing of it was settled',
  'search.ddl-before': 'bulks are drained, a schema change is about to be applied',
  'search.ddl-applied': 'a schema change is applied, the history was not written',
  'search.ddl-after': 'a schema change is in the history, its record was not settled',
  'search.generation-created': 'the next index of a table exists, its state does not name it yet',
  'search.generation-saved': 'the state names the next index, nothing was copied',
  'search.generation-copied': 'documents are copied, the alias still points at the old index',
  'search.generation-swapped': 'the alias points at the new index, the state still says copying',
  'search.truncated': 'the documents of a truncated table are gone, the record was not settled',
  'search.drop-saved': 'the state says dropped, the index is still there',

  // From the slot to webhooks, without Kafka
  'webhook.keeping': 'events for those who are behind are about to be written to the store',
  'webhook.kept': 'events for those who are behind are in the store, their batch was not settled',

  // Keys that the search store refuses
  'parked.creating': 'documents were refused, their keys are about to be parked',
  'parked.created': 'refused keys are parked, nothing of their bulk was settled',
  'parked.held': 'changes behind parked keys are durable, their batch was not settled',
  'parked.resolved': 'entries of deleted keys are gone, the batch of the deletes was not settled',
  'parked.released': 'parked documents were written, their entries are still there',

  // Into webhooks
  'webhook.claimed': 'a partition was claimed, its cursors were not read yet',
  'webhook.sending': 'one delivery is about to be sent',
  'webhook.answered': 'an endpoint answered, nothing of that was noted',
  'webhook.parking': 'an event is about to be parked',
  'webhook.parked': 'an event is parked, its cursor has not passed it',
  'webhook.parked-answered': 'an endpoint took a parked event, its row is still there',
  'webhook.given-up': 'a dead letter is durable, its event was not settled',
  'webhook.detaching': 'a circuit opened, what is not settled is about to be let go of',
  'webhook.attaching': 'a subscription has read up to the live reading, and is about to join it',
  'webhook.cursors-before': 'cursors moved, none of them is stored',
  'webhook.cursors-after': 'cursors are stored, what waits for them was not settled',
  'webhook.released': 'deliveries of a released partition have ended, its cursors are not stored',
  'webhook.subscribed': 'a subscription is stored, whoever made it was not told',

  // Into a file
  'ndjson.appended': 'lines were appended to the file, and not synced',
  'ndjson.synced': 'lines are on the disk, their batch was not settled',
} as const satisfies Record<string, string>;

export type FailpointName = keyof typeof FAILPOINTS;
