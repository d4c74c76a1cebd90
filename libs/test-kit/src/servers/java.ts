import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { spawnSync } from 'node:child_process';
import { assetsDir, cacheDir } from './workspace.ts';
import { hasTool, MissingToolError, runToEnd } from './server-process.ts';

const REMEDY =
  'Install a JDK (17 or newer) and Maven, or use `docker compose up`, or `npm run demo -- --direct`.';

/** @throws {MissingToolError} unless Java, its compiler and Maven are on the path. */
export function requireJava(): void {
  if (!hasTool('java', '-version')) throw new MissingToolError('java', REMEDY);
  if (!hasTool('javac', '-version')) throw new MissingToolError('javac (a JDK, not only a JRE)', REMEDY);
  if (!hasTool('mvn', '-version')) throw new MissingToolError('mvn', REMEDY);
}

/** Resolves the jars of a pom (below the assets, or by its whole path) into the cache, once. Answers the folder. */
export function resolveJars(
  name: string,
  pom: string,
  properties: Readonly<Record<string, string>> = {},
): string {
  const target = join(cacheDir(), 'jars', name);
  if (existsSync(target)) return target;
  requireJava();
  const partial = `${target}.${process.pid}.partial`;
  mkdirSync(partial, { recursive: true });
  const flags = Object.entries(properties).map(([key, value]) => `-D${key}=${value}`);
  const args = [
    '-q',
    '-B',
    '-f',
    resolve(assetsDir(), pom),
    'dependency:copy-dependencies',
    '-DincludeScope=runtime',
  ];
  runToEnd('mvn', [...args, `-DoutputDirectory=${partial}`, ...flags], { cwd: assetsDir() });
  promote(partial, target);
  return target;
}

/** Compiles one launcher against its jars, once. Answers the folder of classes. */
export function compileLauncher(source: string, jars: string, javac = 'javac'): string {
  const target = `${jars}-classes`;
  if (existsSync(target)) return target;
  const partial = `${target}.${process.pid}.partial`;
  mkdirSync(partial, { recursive: true });
  const args = ['-nowarn', '-proc:none', '-cp', `${jars}/*`, '-d', partial, join(assetsDir(), source)];
  runToEnd(javac, args, { cwd: assetsDir() });
  promote(partial, target);
  return target;
}

/** Two runs may have prepared the same folder: the first one stays. */
function promote(partial: string, target: string): void {
  if (existsSync(target)) rmSync(partial, { recursive: true });
  else renameSync(partial, target);
}

/** The home of a Java of at least `major`, or `undefined`: JAVA_HOME, JAVA21_HOME, then the usual folder. */
export function javaHome(major: number): string | undefined {
  const folder = '/usr/lib/jvm';
  const installed = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  const homes = [process.env['JAVA_HOME'], process.env['JAVA21_HOME'], ...installed];
  return homes.find((home) => home !== undefined && majorOf(join(home, 'bin/java')) >= major);
}

function majorOf(java: string): number {
  if (!existsSync(java)) return 0;
  const { stderr } = spawnSync(java, ['-version'], { encoding: 'utf8' });
  return Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0);
}
