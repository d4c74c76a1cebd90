import { FAILPOINTS, type FailpointName } from './failpoint-names.ts';

export const FAILPOINTS_VARIABLE = 'PGSTREAM_FAILPOINTS';

/** `kill` and `stop` send SIGKILL and SIGSTOP to the own process; `delay` blocks it whole, as a long pause would. */
export type FailpointAction =
  | { readonly kind: 'kill' | 'stop' }
  | { readonly kind: 'delay'; readonly ms: number }
  /** An error without a code, or with one as Node and PostgreSQL give them: `ECONNRESET`, `57P01`. */
  | { readonly kind: 'throw'; readonly code: string };

export interface ArmedFailpoint {
  readonly name: FailpointName;
  readonly action: FailpointAction;
  /** So many hits pass before it acts. */
  readonly after: number;
}

export type Failpoint = (name: FailpointName) => void;

/** What a `throw` failpoint throws. */
export class FailpointError extends Error {
  override readonly name = 'FailpointError';
  readonly code: string;

  constructor(point: FailpointName, code: string) {
    super(`failpoint ${point}`);
    this.code = code;
  }
}

const GRAMMAR = 'name:action[:hits that pass first], action one of kill, stop, throw, throw=CODE, delay=MS';

/**
 * Reads `name:action[:after]`, several separated by commas.
 * @throws {RangeError} naming the unknown failpoint or what is malformed.
 */
export function parseFailpoints(text: string): readonly ArmedFailpoint[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
    .map(parseOne);
}

function parseOne(item: string): ArmedFailpoint {
  const [name = '', action = '', after = '0', ...rest] = item.split(':');
  if (!isFailpoint(name)) throw new RangeError(`there is no failpoint ${JSON.stringify(name)}`);
  const parsed = parseAction(action);
  if (parsed === null || !/^\d+$/.test(after) || rest.length > 0) {
    throw new RangeError(`${JSON.stringify(item)} is not ${GRAMMAR}`);
  }
  return { name, action: parsed, after: Number(after) };
}

function parseAction(text: string): FailpointAction | null {
  const [kind, value = '', ...rest] = text.split('=');
  if (rest.length > 0) return null;
  if ((kind === 'kill' || kind === 'stop') && value === '') return { kind };
  if (kind === 'delay' && /^\d+$/.test(value)) return { kind, ms: Number(value) };
  return kind === 'throw' ? { kind, code: value } : null;
}

function isFailpoint(name: string): name is FailpointName {
  return Object.hasOwn(FAILPOINTS, name);
}

/** `undefined` where nothing is armed: a point is then one comparison. */
export function armFailpoints(armed: readonly ArmedFailpoint[]): Failpoint | undefined {
  if (armed.length === 0) return undefined;
  const points = new Map<FailpointName, { readonly action: FailpointAction; left: number }[]>();
  for (const { name, action, after } of armed) {
    points.set(name, [...(points.get(name) ?? []), { action, left: after }]);
  }
  return (name) => {
    for (const point of points.get(name) ?? []) {
      point.left -= 1;
      // All but a delay act once: what goes on afterwards is to go on.
      if (point.left === -1 || (point.left < 0 && point.action.kind === 'delay')) act(name, point.action);
    }
  };
}

function act(name: FailpointName, action: FailpointAction): void {
  switch (action.kind) {
    case 'kill':
      process.kill(process.pid, 'SIGKILL');
      break;
    case 'stop':
      process.kill(process.pid, 'SIGSTOP');
      break;
    case 'delay':
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, action.ms);
      break;
    case 'throw':
      throw new FailpointError(name, action.code);
  }
}

/** A malformed value arms nothing: the settings refuse it before anything runs. */
function armedByEnvironment(text: string | undefined): Failpoint | undefined {
  if (text === undefined) return undefined;
  try {
    return armFailpoints(parseFailpoints(text));
  } catch {
    return undefined;
  }
}

/**
 * Stands at the places of {@link FAILPOINTS}, as `failpoint?.('source.start')`. A constant of the process, and undefined
 * unless `PGSTREAM_FAILPOINTS` was in its environment from the start.
 */
export const failpoint: Failpoint | undefined = armedByEnvironment(process.env[FAILPOINTS_VARIABLE]);
