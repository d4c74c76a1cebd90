export {
  createKafka,
  type KafkaConnectionOptions,
  type KafkaLogLine,
  type KafkaSaslOptions,
  type KafkaTlsOptions,
} from './connection/kafka-connection.ts';
