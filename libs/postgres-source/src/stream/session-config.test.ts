import { parseLsn } from '@pgstream/wal-event';
import { sessionConfig } from './session-config.ts';
import { startSql } from './start-sql.ts';
import { statusMessage } from './status-message.ts';

const options = { applicationName: 'pgstream slot host', decodingWorkMem: '256 MB' };

test('the pins come after what the URL asks for, and nothing of the URL wins over them', () => {
  const connectionString =
    'postgres://u:p@h/db?options=-c%20datestyle%3DGerman&application_name=other&client_encoding=LATIN1&sslmode=disable';
  const config = sessionConfig({ connectionString }, options);
  expect(config.options).toMatch(
    /^-c datestyle=German -c datestyle=ISO .* -c logical_decoding_work_mem=256MB$/,
  );
  expect(config).toMatchObject({
    application_name: 'pgstream slot host',
    client_encoding: 'UTF8',
    keepAlive: true,
  });
  expect(config.connectionString).toBe('postgres://u:p@h/db?sslmode=disable');
});

test('names of publications and slots keep their case and cannot end the statement', () => {
  expect(startSql('my "slot"', ["It's", 'b'], parseLsn('16/B374D848'))).toBe(
    `START_REPLICATION SLOT "my ""slot""" LOGICAL 16/B374D848 (proto_version '1', publication_names '"It''s","b"', messages 'true')`,
  );
});

test('a status says one LSN three times, exactly', () => {
  const message = statusMessage(0x16b374d848n, 946_684_800_001, true);
  expect(message.toString('hex')).toBe(`640000002672${'00000016b374d848'.repeat(3)}00000000000003e801`);
});
