// The way in: `npm run demo`, `npm test`, `npm run stack`, `npm run bench`, `npm run profile`, `npm run faults`. Runs on any Node from
// 20.19 on with nothing installed: installs from the lockfile, builds, then hands over to tools/<command>/main.ts under the pinned Node.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [command, ...args] = process.argv.slice(2);

requireNode();
install();
build();
process.exitCode = run(pinnedNode(), [
  '--conditions=@pgstream/source',
  '--disable-warning=ExperimentalWarning',
  join(root, 'tools', command, 'main.ts'),
  ...args,
]);

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  fail(`Node ${process.versions.node} is too old: pgstream needs 20.19 or newer.`);
}

/** `npm ci` when the lockfile is not the one that node_modules was made from. */
function install() {
  const marker = join(root, 'node_modules', '.pgstream-lockfile');
  const hash = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(marker) && readFileSync(marker, 'utf8') === hash) return;
  console.error('Installing dependencies from the lockfile …');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const flags = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  if (run(npm, flags) !== 0) fail('npm ci failed: see above.');
  writeFileSync(marker, hash);
}

/** Everything, tests included, for `npm test`; only what runs for the other commands. */
function build() {
  const projects =
    command === 'test'
      ? []
      : ['services/cli', 'services/wal-producer', 'services/search-indexer', 'services/webhook-notifier'];
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  if (run(pinnedNode(), [tsc, '-b', ...projects]) !== 0) fail('The build failed: see above.');
}

/** The Node of the lockfile where its platform has one, else the one that runs this. */
function pinnedNode() {
  const bin = join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'node.cmd' : 'node');
  return existsSync(bin) ? bin : process.execPath;
}

function run(file, flags) {
  const path = `${join(root, 'node_modules', '.bin')}${delimiter}${process.env.PATH}`;
  const env = { ...process.env, PATH: path, NX_DAEMON: 'false', NX_TUI: 'false' };
  const result = spawnSync(file, flags, { cwd: root, stdio: 'inherit', env });
  if (result.error) fail(`${file} could not be run: ${result.error.message}`);
  return result.status ?? 1;
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
