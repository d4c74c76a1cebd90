import { rmSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  Random,
  removeCluster,
  requireJava,
  startKafka,
  startPostgres,
  stopKafka,
  stopPostgres,
  type KafkaServer,
  type PostgresServer,
} from '@pgstream/test-kit';
import { Screen } from '../product/screen.ts';
import type { HookServers } from '../webhooks/hook-environment.ts';
import { HookWorld } from '../webhooks/hook-world.ts';
import { killRounds } from '../webhooks/kill-rounds.ts';

export const WEBHOOKS_USAGE = 'npm run soak -- webhooks [--rounds N] [--seed N] [--json FILE]';
/** Kills between two judgements: what is wrong is told soon, and what was seen is forgotten. */
const ERA_ROUNDS = 50;
const DRAIN_MS = 300_000;

interface Options {
  readonly rounds: number;
  readonly seed: number;
  readonly json: string | undefined;
}

interface Tally {
  rounds: number;
  events: number;
  repeated: number;
  readonly violations: string[];
  readonly deserters: string[];
}

/** SIGKILL of a webhook notifier at random moments, 1,000 times, on servers of its own. @returns the exit code. */
export async function soakWebhooks(args: readonly string[]): Promise<number> {
  const options = optionsOf(args);
  if (options === undefined) {
    console.error(`usage: ${WEBHOOKS_USAGE}`);
    return 78;
  }
  requireJava();
  const screen = new Screen();
  const tally: Tally = { rounds: 0, events: 0, repeated: 0, violations: [], deserters: [] };
  const started: { postgres?: PostgresServer; kafka?: KafkaServer } = {};
  const stop = async () => {
    if (started.postgres !== undefined) await removeStopped(started.postgres);
    if (started.kafka === undefined) return;
    await stopKafka(started.kafka, 'SIGKILL');
    rmSync(started.kafka.dir, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void stop().finally(() => process.exit(1)));
  }
  try {
    screen.title(`SIGKILL of webhook notifiers, ${options.rounds} times, first seed ${options.seed}`);
    started.postgres = await startPostgres({ major: 17 });
    // A killed worker keeps its partitions until its session is over: with the shortest one there is little to wait for.
    started.kafka = await startKafka({ heapMb: 512, properties: ['group.min.session.timeout.ms=1000'] });
    const servers = { postgresUrl: started.postgres.url, broker: started.kafka.broker, sessionTimeout: '2s' };
    await runEras(options, servers, { tally, screen });
  } finally {
    await stop();
  }
  return report(options, screen, tally);
}

async function runEras(
  { rounds, seed }: Options,
  servers: HookServers,
  { tally, screen }: { readonly tally: Tally; readonly screen: Screen },
): Promise<void> {
  for (let era = 0; tally.rounds < rounds; era++) {
    const random = new Random(seed + era);
    // oxlint-disable-next-line no-await-in-loop -- one era after the other
    await runEra(servers, { tally, random, rounds: Math.min(ERA_ROUNDS, rounds - tally.rounds) });
    const { events, repeated, violations } = tally;
    screen.note(
      `seed ${seed + era}: ${tally.rounds} kills, ${events} events, ${repeated} came twice, ${violations.length} violations so far`,
    );
  }
}

async function runEra(
  servers: HookServers,
  { tally, random, rounds }: { readonly tally: Tally; readonly random: Random; readonly rounds: number },
): Promise<void> {
  const world = await HookWorld.open(servers, random);
  try {
    await killRounds(world, { rounds, random, drainMs: DRAIN_MS, onRound: () => (tally.rounds += 1) });
  } catch (cause) {
    tally.violations.push(cause instanceof Error ? cause.message : String(cause));
  } finally {
    for (const text of [...world.violations(), ...world.deserters]) console.log(`    ${text}`);
    tally.violations.push(...world.violations());
    tally.deserters.push(...world.deserters);
    tally.events += world.load.sent.length;
    tally.repeated += world.repeated;
    await world.close();
  }
}

async function removeStopped(server: PostgresServer): Promise<void> {
  await stopPostgres(server);
  removeCluster(server);
}

function report({ rounds, json }: Options, screen: Screen, tally: Tally): number {
  const { violations, deserters } = tally;
  screen.check(
    { name: 'SIGKILL of a notifier', value: tally.rounds, unit: 'rounds', target: rounds },
    tally.rounds >= rounds,
  );
  screen.check(
    {
      name: 'lost, out of order, or again from behind a cursor',
      value: violations.length,
      unit: 'violations',
      target: 0,
    },
    violations.length === 0,
  );
  screen.check(
    { name: 'notifiers that ended by themselves', value: deserters.length, unit: 'processes', target: 0 },
    deserters.length === 0,
  );
  screen.check(
    { name: 'events delivered', value: tally.events, unit: 'events', target: 1 },
    tally.events > 0,
  );
  const isGood = screen.summary();
  if (json !== undefined) writeFileSync(json, `${JSON.stringify({ checks: screen.checks }, null, 2)}\n`);
  return isGood ? 0 : 1;
}

function optionsOf(args: readonly string[]): Options | undefined {
  try {
    const options = {
      rounds: { type: 'string', default: '1000' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      json: { type: 'string' },
    } as const;
    const { values } = parseArgs({ args: [...args], options });
    const [rounds, seed] = [Number(values.rounds), Number(values.seed)];
    const isSound = Number.isInteger(rounds) && rounds > 0 && Number.isInteger(seed);
    return isSound ? { rounds, seed, json: values.json } : undefined;
  } catch {
    return undefined;
  }
}
