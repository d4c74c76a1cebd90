import { Buffer } from 'node:buffer';
import { SecretBox } from './secret-box.ts';

const SETTING = 'PGSTREAM_WEBHOOK_SECRET_KEY';
const keyOf = (byte: number) => Buffer.alloc(32, byte).toString('base64');

test('opens what it sealed, for the same owner only, and never twice the same bytes', () => {
  const box = new SecretBox([keyOf(1)], SETTING);
  const sealed = box.seal('whsec_é', 'a');
  expect(box.open(sealed, 'a')).toBe('whsec_é');
  expect(() => box.open(sealed, 'b')).toThrow('WEBHOOK_SECRET_UNREADABLE');
  expect(box.seal('whsec_é', 'a').equals(sealed)).toBe(false);
  expect(sealed.includes('whsec')).toBe(false);
});

test('one changed bit is noticed', () => {
  const box = new SecretBox([keyOf(1)], SETTING);
  const sealed = box.seal('text', 'a');
  const last = sealed.length - 1;
  sealed[last] = (sealed[last] ?? 0) ^ 1;
  expect(() => box.open(sealed, 'a')).toThrow('WEBHOOK_SECRET_UNREADABLE');
});

test('a new key in front of the old one opens both', () => {
  const old = new SecretBox([keyOf(1)], SETTING).seal('text', 'a');
  const both = new SecretBox([keyOf(2), keyOf(1)], SETTING);
  expect(both.open(old, 'a')).toBe('text');
  const sealed = both.seal('text', 'a');
  expect(new SecretBox([keyOf(2)], SETTING).open(sealed, 'a')).toBe('text');
  expect(() => new SecretBox([keyOf(1)], SETTING).open(sealed, 'a')).toThrow('WEBHOOK_SECRET_UNREADABLE');
});

test('a key of the wrong size is refused by the name of its setting, without showing it', () => {
  expect(() => new SecretBox(['c2hvcnQ='], SETTING)).toThrow(
    expect.objectContaining({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/PGSTREAM_WEBHOOK_SECRET_KEY.*32 bytes/),
    }),
  );
  expect(() => new SecretBox(['c2hvcnQ='], SETTING)).toThrow(
    expect.not.objectContaining({ message: expect.stringContaining('c2hvcnQ') }),
  );
});
