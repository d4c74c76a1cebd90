import { Buffer } from 'node:buffer';
import { scramAuthenticate } from './scram.ts';

const CREDENTIALS = { hash: 'sha256', username: 'user', password: 'pencil' } as const;
const NONCE = 'rOprNGfwEbeRWgbNEkqO';
// RFC 7677, section 3
const SERVER_FIRST = 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096';
const SERVER_FINAL = 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=';

function server(...answers: readonly string[]) {
  const heard: string[] = [];
  const exchange = async (message: Buffer) => {
    heard.push(message.toString());
    return await Promise.resolve(Buffer.from(answers[heard.length - 1] ?? ''));
  };
  return { heard, exchange };
}

test('the conversation of RFC 7677', async () => {
  const { heard, exchange } = server(SERVER_FIRST, SERVER_FINAL);
  await scramAuthenticate(CREDENTIALS, exchange, NONCE);
  expect(heard).toEqual([
    'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  ]);
});

test.each([
  ['a server that does not know the password', SERVER_FIRST, `v=${Buffer.alloc(32).toString('base64')}`],
  ['no proof at all', SERVER_FIRST, 'e=other-error'],
  ['another nonce', SERVER_FIRST.replace(NONCE, 'someone-elses-nonce1'), SERVER_FINAL],
  ['too few iterations', SERVER_FIRST.replace('i=4096', 'i=1'), SERVER_FINAL],
  ['endless iterations', SERVER_FIRST.replace('i=4096', 'i=4000000000'), SERVER_FINAL],
])('refuses %s', async (_name, first, final) => {
  await expect(scramAuthenticate(CREDENTIALS, server(first, final).exchange, NONCE)).rejects.toThrow(
    /broker/,
  );
});

test('a name with separators is escaped', async () => {
  const { heard, exchange } = server('');
  await expect(scramAuthenticate({ ...CREDENTIALS, username: 'a,b=c' }, exchange, NONCE)).rejects.toThrow(
    /challenge/,
  );
  expect(heard).toEqual([`n,,n=a=2Cb=3Dc,r=${NONCE}`]);
});
