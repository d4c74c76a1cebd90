import { measuredSentence, type RunFacts } from '../committed-run.ts';
import { checkTable, table, thousands } from '../markdown.ts';
import type { HookLatency } from './freshness.ts';
import { NOISY_CORES, type RoundCounts } from '../quiet-rounds.ts';
import type { WebhookFigures } from './webhooks-command.ts';

const METHOD = `Endpoints are local servers that answer 200 with nothing. **Deliveries**: 200,000 events of 30,000 rows that were written while no notifier ran, to one endpoint, 64 requests in flight,
signed; the loop sends as many bodies of their size with \`undici.request\` to the same kind of endpoint, 64 at a time, with the headers of a delivery, made beforehand. Of both a fifth goes
before what is counted; they take turns, and the share is the median of what the rounds say. All Nodes run with the NODE_OPTIONS of the image. **Commit to delivery**: single-row commits at 100 per second, from the answer of the commit to the request at the endpoint, through WAL, Kafka and notifier, on one clock.
**Isolation**: fifteen endpoints that answer, alone and beside five that take connections and never answer, in turns; the ratios are medians of the rounds. **Rounds** in which others, the other guests of the host included, had more than ${NOISY_CORES} cores are noisy and left out; there are as many as it takes for five quiet ones, ten at most. **Memory**: of three endpoints one refuses every event and one is
away (503) while the events go by, as fast as the third takes them; then both are back and get everything in order. Memory is the resident size of the notifier, the middle third of
the run against the last.`;

/** The section of the page, of a committed run. */
export function webhooksSection(run: WebhookFigures & RunFacts): string[] {
  const { throughput, latency, isolation, outage } = run;
  return [
    '## Webhooks',
    measuredSentence(run, 'webhooks'),
    checkTable(run.checks),
    ...(throughput === undefined
      ? []
      : [
          `Deliveries: ${thousands(throughput.deliveriesPerS)} per second, the loop ${thousands(throughput.bareRequestsPerS)} (medians${ofRounds(throughput)}).`,
        ]),
    latencyTable([
      ['one endpoint', latency],
      ['fifteen endpoints', isolation?.alone],
      ['fifteen beside five black holes', isolation?.besideHoles],
    ]),
    ...(isolation === undefined
      ? []
      : [
          `Fifteen endpoints got ${thousands(isolation.alonePerS)} deliveries per second, beside black holes ${thousands(isolation.besideHolesPerS)} (medians${ofRounds(isolation)}).`,
        ]),
    ...(outage === undefined
      ? []
      : [
          `Over ${thousands(outage.events)} events the notifier grew by ${outage.memoryGrowthPercent.toFixed(1)} %, and at most ${thousands(outage.mostParked)} events of a subscription were parked.`,
        ]),
    METHOD,
  ];
}

function ofRounds({ made, noisy }: Partial<RoundCounts>): string {
  if (made === undefined || noisy === undefined) return ' of five rounds';
  return ` of ${made - noisy || made} rounds; ${noisy} of ${made} were noisy`;
}

function latencyTable(all: ReadonlyArray<readonly [string, HookLatency | undefined]>): string {
  const rows = all.flatMap(([name, measured]) =>
    measured === undefined
      ? []
      : [[name, measured.p50Ms.toFixed(1), measured.p99Ms.toFixed(1), measured.maxMs.toFixed(1)]],
  );
  return table(['Commit to delivery, 100 commits/s', 'p50 ms', 'p99 ms', 'max ms'], rows);
}
