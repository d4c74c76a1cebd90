import { judge, type CheckLetter, type Finding } from '@pgstream/test-kit';
import type { Arena } from './arena.ts';
import { collect } from './collect.ts';
import type { Fault } from './fault.ts';
import { Scene } from './scene.ts';

const CATCH_UP_MS = 60_000;

export interface FaultResult {
  readonly fault: Fault;
  readonly seed: number;
  readonly findings: readonly Finding[];
  /** Why the run itself could not be carried out. */
  readonly broken: string | null;
  readonly tookMs: number;
  readonly transactions: number;
  readonly records: number;
  /** From the end of the fault. */
  readonly caughtUpMs: number | null;
}

/** One fault under one seed, from a fresh database to the verdict. */
export async function runFault(
  fault: Fault,
  seed: number,
  arena: Arena,
  onStart: (scene: Scene) => void = () => undefined,
): Promise<FaultResult> {
  const startedAt = performance.now();
  let scene: Scene | undefined;
  let [transactions, records] = [0, 0];
  let caughtUpMs: number | null = null;
  let findings: readonly Finding[] = [];
  let broken: string | null = null;
  try {
    scene = await Scene.open(fault, seed, arena);
    await scene.start();
    onStart(scene);
    await fault.run(scene);
    scene.links.heal();
    caughtUpMs = await catchUp(scene);
    const boundMs = fault.catchUpMs ?? CATCH_UP_MS;
    const evidence = await collect(scene, { caughtUpMs, boundMs });
    [transactions, records] = [scene.load.committed, evidence.log?.length ?? 0];
    findings = judge(evidence);
  } catch (error) {
    broken = explain(error, scene);
  }
  try {
    await scene?.close();
  } catch (error) {
    broken ??= `closing: ${explain(error, scene)}`;
  }
  const tookMs = performance.now() - startedAt;
  return { fault, seed, findings, broken, tookMs, transactions, records, caughtUpMs };
}

export function passed({ findings, broken }: FaultResult): boolean {
  return broken === null && findings.every(({ violations }) => violations.length === 0);
}

export function violationsOf(result: FaultResult, check: CheckLetter): readonly string[] {
  return result.findings.find((finding) => finding.check === check)?.violations ?? [];
}

/** The writers end, and everything comes to rest: in its place, or at the end that is expected. */
async function catchUp(scene: Scene): Promise<number | null> {
  const { fault, system, load } = scene;
  const boundMs = fault.catchUpMs ?? CATCH_UP_MS;
  const healedAt = performance.now();
  await load.stop();
  try {
    if (fault.expects.kind === 'stops') {
      await scene.ended(fault.expects.who);
      // workers that have ended pass nothing any more
      if (scene.crew.names.some((name) => name.startsWith('indexer')) && scene.logSoFar === undefined)
        await system.untilPassed(boundMs);
    } else if (scene.isDirect) await system.untilConfirmed(boundMs);
    else await system.untilIndexed(boundMs);
  } catch {
    return null;
  }
  return performance.now() - healedAt;
}

function explain(error: unknown, scene: Scene | undefined): string {
  const lines = [error instanceof Error ? (error.stack ?? error.message) : String(error)];
  if (error instanceof Error && error.cause instanceof Error) lines.push(`cause: ${error.cause.message}`);
  for (const name of scene?.names ?? []) {
    const tail = scene?.logOf(name).trimEnd().split('\n').slice(-4) ?? [];
    lines.push(`${name}: ${tail.join(`\n${name}: `)}`);
  }
  return lines.join('\n');
}
