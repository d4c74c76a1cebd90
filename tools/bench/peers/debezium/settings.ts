export type Tuning = 'default' | 'tuned';

/** Java's `.properties`: values here hold nothing that would have to be escaped. */
export type Properties = Readonly<Record<string, string | number>>;

export interface WorkerFacts {
  readonly broker: string;
  readonly restPort: number;
  readonly offsetsFile: string;
  readonly pluginPath: string;
}

/** Kafka Connect standalone. Without `tuned` only what it needs to run. */
export function workerProperties(facts: WorkerFacts, tuning: Tuning): Properties {
  return {
    'bootstrap.servers': facts.broker,
    'key.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'offset.storage.file.filename': facts.offsetsFile,
    'plugin.path': facts.pluginPath,
    'plugin.discovery': 'service_load',
    listeners: `http://127.0.0.1:${facts.restPort}`,
    ...(tuning === 'tuned' ? TUNED_WORKER : {}),
  };
}

/** Bare values rather than a schema in each record, large compressed batches, a short linger, offsets stored often. */
const TUNED_WORKER: Properties = {
  'key.converter.schemas.enable': 'false',
  'value.converter.schemas.enable': 'false',
  'offset.flush.interval.ms': 10_000,
  'producer.acks': 'all',
  'producer.enable.idempotence': 'true',
  'producer.compression.type': 'lz4',
  'producer.linger.ms': 5,
  'producer.batch.size': 1_048_576,
  'producer.buffer.memory': 134_217_728,
  'producer.max.request.size': 5_242_880,
};

export interface ConnectorFacts {
  /** Of the database, with user and password. */
  readonly url: string;
  readonly name: string;
  readonly slot: string;
  readonly publication: string;
  readonly table: string;
}

/** The PostgreSQL connector on a slot and a publication that are there. */
export function connectorProperties(facts: ConnectorFacts, tuning: Tuning): Properties {
  const { hostname, port, username, password, pathname } = new URL(facts.url);
  return {
    name: facts.name,
    'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
    'tasks.max': 1,
    'database.hostname': hostname,
    'database.port': port,
    'database.user': username,
    'database.password': password,
    'database.dbname': pathname.slice(1),
    'topic.prefix': facts.name,
    'plugin.name': 'pgoutput',
    'slot.name': facts.slot,
    'publication.name': facts.publication,
    'publication.autocreate.mode': 'disabled',
    'table.include.list': `public.${facts.table}`,
    'snapshot.mode': 'no_data',
    ...(tuning === 'tuned' ? TUNED_CONNECTOR : {}),
  };
}

/** Large batches out of a large queue that is asked often. */
const TUNED_CONNECTOR: Properties = {
  'max.batch.size': 16_384,
  'max.queue.size': 65_536,
  'poll.interval.ms': 10,
  'tombstones.on.delete': 'true',
};

export function propertiesText(properties: Properties): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}
