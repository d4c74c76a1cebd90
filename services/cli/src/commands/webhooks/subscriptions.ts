import type { ShownAttempt, ShownStatus, ShownSubscription, Webhooks } from '@pgstream/assembly';
import { PipelineError } from '@pgstream/failure';
import type { Command } from 'commander';
import { renderPairs, renderTable } from '../../output/table.ts';
import { wholeNumber } from './numbers.ts';
import { onAction, type HookContext } from './hook-command.ts';

export function addSubscriptionCommands(group: Command, hooks: HookContext): void {
  addLs(group, hooks);
  addRm(group, hooks);
  addStatus(group, hooks);
  addTest(group, hooks);
  addSwitches(group, hooks);
  addAttempts(group, hooks);
}

function addLs(group: Command, hooks: HookContext): void {
  const command = group.command('ls', { isDefault: true }).description('list subscriptions');
  onAction(command, hooks, async (api, printer) => {
    const subscriptions = await api.subscriptions();
    printer.result(describeList(subscriptions), { subscriptions });
  });
}

function addRm(group: Command, hooks: HookContext): void {
  const command = group
    .command('rm <id...>')
    .description('remove subscriptions, with their cursors, parked events and dead letters')
    .option('--yes', 'do it: where they were in the log is lost');
  onAction(command, hooks, async (api, printer, ids: readonly string[]) => {
    if (command.opts<{ yes?: true }>().yes !== true) {
      throw new PipelineError('CONFIG_INVALID', {
        detail: 'webhooks rm loses the place in the log and what is parked: confirm with --yes.',
      });
    }
    const removed: string[] = [];
    // oxlint-disable-next-line no-await-in-loop -- one after the other, so that it is known what is done
    for (const id of ids) removed.push(await api.remove(id));
    printer.result(`${removed.length} removed`, { removed });
  });
}

function addStatus(group: Command, hooks: HookContext): void {
  const command = group
    .command('status <id>')
    .description(
      'cursors, lag, circuit, parked events and gaps; exit code 1 unless it is active and delivers',
    );
  onAction(command, hooks, async (api, printer, id: string) => {
    const status = await api.status(id);
    printer.result(describeStatus(status), status);
    if (status.state !== 'active' || status.failingSince !== null) hooks.done.exitCode = 1;
  });
}

function addTest(group: Command, hooks: HookContext): void {
  const command = group
    .command('test <id>')
    .description('send one event of type pgstream.test; exit code 1 when it is not taken');
  onAction(command, hooks, async (api, printer, id: string) => {
    const result = await api.test(id);
    const { delivered, status, reason, durationMs } = result;
    const what = delivered ? `delivered: answered ${status}` : `not delivered: ${reason}`;
    printer.result(`${what} after ${durationMs} ms`, result);
    if (!delivered) hooks.done.exitCode = 1;
  });
}

function addSwitches(group: Command, hooks: HookContext): void {
  const pause = group.command('pause <id>').description('deliver nothing more; its place in the log stays');
  onAction(pause, hooks, async (api, printer, id: string) => {
    const paused = await api.pause(id);
    printer.result(`${paused.id} is ${paused.state}`, paused);
  });
  const resume = group
    .command('resume <id>')
    .description('go on from where it was, also after it was disabled');
  onAction(resume, hooks, async (api, printer, id: string) => {
    const resumed = await api.resume(id);
    printer.result(`${resumed.id} is ${resumed.state}`, resumed);
  });
  const rotate = group
    .command('rotate-secret <id>')
    .description('make a new secret, which is shown once; the old one signs beside it for a day')
    .option('--overlap <seconds>', 'how long the old one signs too');
  onAction(rotate, hooks, async (api, printer, id: string) => {
    const { overlap } = rotate.opts<{ overlap?: string }>();
    const seconds = overlap === undefined ? undefined : wholeNumber('--overlap', overlap, 0);
    const rotated = await api.rotateSecret(id, seconds);
    printer.result(
      `${rotated.secret ?? rotated.publicKey}\nthe old one signs until ${rotated.oldValidUntil}`,
      rotated,
    );
  });
}

function addAttempts(group: Command, hooks: HookContext): void {
  const command = group
    .command('attempts <id>')
    .description('the newest requests to its endpoint: failures, and some of what was delivered')
    .option('--limit <n>', 'at most so many', '50')
    .option('--failed', 'failures only');
  onAction(command, hooks, async (api: Webhooks, printer, id: string) => {
    const { limit, failed } = command.opts<{ limit: string; failed?: true }>();
    const attempts = await api.attempts(id, {
      limit: wholeNumber('--limit', limit, 1),
      ...(failed === true ? { status: 'failed' } : {}),
    });
    printer.result(describeAttempts(attempts), { attempts });
  });
}

function describeList(subscriptions: readonly ShownSubscription[]): string {
  if (subscriptions.length === 0) return 'no subscriptions';
  const rows = subscriptions.map(
    ({ id, state, url, format, ordering, filters, legacy, failingSince, createdAt }) => {
      const wants = legacy === null ? `${filters.length} filters` : 'legacy';
      return [id, state, url, format, ordering, wants, failingSince, createdAt.slice(0, 19)] as const;
    },
  );
  const headers = ['id', 'state', 'url', 'format', 'order', 'hears', 'failing since', 'made'];
  return renderTable(headers, rows);
}

function describeStatus({ partitions, gaps, ...status }: ShownStatus): string {
  const pairs = renderPairs([
    ['id', status.id],
    ['state', `${status.state}${status.stateReason === '' ? '' : ` (${status.stateReason})`}`],
    ['failing since', status.failingSince],
    ['lag in records', status.lagRecords],
    ['parked events', status.parked],
    ['gaps', gaps.length],
  ]);
  const rows = partitions.map(
    ({ partition, state, circuit, nextOffset, lagRecords, oldestUnsettledSeconds: seconds }) =>
      [
        partition,
        state,
        circuit,
        nextOffset,
        lagRecords,
        seconds === null ? null : Math.round(seconds),
      ] as const,
  );
  const headers = ['partition', 'state', 'circuit', 'next offset', 'lag', 'oldest, s'];
  const lost = gaps.map(
    ({ partition, fromOffset, toOffset, reason, at }) =>
      `gap in partition ${partition}: offsets ${fromOffset} to ${toOffset - 1}, ${reason}, ${at}`,
  );
  return [pairs, '', renderTable(headers, rows), ...lost].join('\n');
}

function describeAttempts(attempts: readonly ShownAttempt[]): string {
  if (attempts.length === 0) return 'no attempts';
  const rows = attempts.map(
    ({ at, partition, offset, attempt, outcome, status, durationMs, eventId, reason }) =>
      [at.slice(0, 23), partition, offset, attempt, outcome, status, durationMs, eventId, reason] as const,
  );
  const headers = ['at', 'partition', 'offset', 'attempt', 'outcome', 'status', 'ms', 'event', 'reason'];
  return renderTable(headers, rows);
}
