// A member that confirms the rows before argv[4] only, says so, and goes on until it is killed.
import { connection } from './kafka-connection.ts';
import { ChangeConsumer } from '../src/index.ts';

const [topic = '', groupId = '', confirmBelow = '0'] = process.argv.slice(2);
const source = new ChangeConsumer({
  connection,
  topic,
  groupId,
  startFrom: 'earliest',
  sessionTimeoutMs: 6_000,
  heartbeatIntervalMs: 1_000,
  commitIntervalMs: 50,
  deadLetters: { park: async () => {} },
  onLog: () => {},
});
for await (const batch of source.batches(new AbortController().signal)) {
  const { checkpoint } = batch;
  if (checkpoint === undefined) continue;
  if (checkpoint.nextOffset <= Number(confirmBelow)) await source.confirm(batch.lane, checkpoint);
  process.stdout.write(`${checkpoint.nextOffset}\n`);
}
