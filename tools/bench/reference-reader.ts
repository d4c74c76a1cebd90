// The reference in the run: drains a slot eagerly in Node and decodes nothing. A process of its own, so that its CPU is
// its own. Arguments: URL, slot, publication, rows to wait for, rows in front that are not counted. Prints one line of JSON.
import { Client } from 'pg';

interface ReplicationConnection {
  on(event: 'copyData', listener: (message: { readonly chunk: Buffer }) => void): void;
  sendCopyFromChunk(chunk: Buffer): void;
}

const [url = '', slot = '', publication = '', rowsText = '0', warmUpText = '0'] = process.argv.slice(2);
const [wanted, warmUp] = [Number(rowsText), Number(warmUpText)];
const client = new Client({ connectionString: `${url}?replication=database` });
await client.connect();
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- pg types no replication connection
const connection = (client as unknown as { connection: ReplicationConnection }).connection;
let [rows, firstAt, cpuAtFirst] = [0, 0, process.cpuUsage()];

connection.on('copyData', ({ chunk }) => {
  if (chunk[0] === 0x6b) connection.sendCopyFromChunk(statusUpdate());
  else count(chunk[25] ?? 0);
});
const options = `proto_version '1', publication_names '"${publication}"'`;
client.query(`START_REPLICATION SLOT "${slot}" LOGICAL 0/0 (${options})`).catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});

/** I, U and D are rows. */
function count(kind: number): void {
  if (kind !== 0x49 && kind !== 0x55 && kind !== 0x44) return;
  if (rows === warmUp) [firstAt, cpuAtFirst] = [performance.now(), process.cpuUsage()];
  if (++rows < wanted) return;
  const seconds = (performance.now() - firstAt) / 1000;
  const { user, system } = process.cpuUsage(cpuAtFirst);
  console.log(JSON.stringify({ rows: rows - warmUp, seconds, cpuS: (user + system) / 1e6 }));
  process.exit(0);
}

/** Confirms nothing: the slot stays where it is for the next round. */
function statusUpdate(): Buffer {
  const message = Buffer.alloc(34);
  message[0] = 0x72;
  message.writeBigInt64BE(BigInt(Date.now() - 946_684_800_000) * 1000n, 25);
  return message;
}
