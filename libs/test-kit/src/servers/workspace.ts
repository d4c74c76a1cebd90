import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** The folder with `nx.json`, looked for from the working directory upwards. */
export function workspaceRoot(): string {
  for (let dir = process.cwd(); ; dir = dirname(dir)) {
    if (existsSync(join(dir, 'nx.json'))) return dir;
    if (dir === dirname(dir))
      throw new Error('not inside the pgstream workspace: no nx.json above the working directory');
  }
}

export function assetsDir(): string {
  return join(workspaceRoot(), 'libs/test-kit/assets');
}

/**
 * Where downloads and data of local servers live: `TEST_CACHE_DIR`, else the user's cache folder. As root it is a
 * folder that other users can enter, because PostgreSQL refuses to run as root and so runs as somebody else.
 */
export function cacheDir(): string {
  const asRoot = process.getuid?.() === 0;
  const base = asRoot ? '/var/tmp' : (process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'));
  const dir = process.env['TEST_CACHE_DIR'] ?? join(base, 'pgstream');
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  return dir;
}
