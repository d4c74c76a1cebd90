import { join } from 'node:path';
import type { Peer, PeerRun, PeerSystem } from './peer.ts';
import type { PeerWorld } from './peer-world.ts';
import { ProcessPeer } from './process-peer.ts';

/**
 * Any other system, `name=command` of the command line. The command is run by `sh` with its place in the environment:
 * `PEER_POSTGRES_URL`, `PEER_SLOT` (of pgoutput), `PEER_PUBLICATION`, `PEER_TABLE`, `PEER_BROKER`, `PEER_TOPIC`. It writes
 * one record per row and ends on SIGTERM.
 * @throws {Error} for a text that is no `name=command`.
 */
export function otherPeer(text: string): PeerSystem {
  const [, name, command] = /^([A-Za-z][\w .-]{0,30})=(.+)$/s.exec(text) ?? [];
  if (name === undefined || command === undefined)
    throw new Error(
      `--peer ${text}: name=command is needed, the name of letters, digits, space, dot and dash`,
    );
  return {
    name,
    leftOut: undefined,
    plugin: 'pgoutput',
    topicOf: ({ name: topic }) => topic,
    open: (world, run) => Promise.resolve(open(world, run, { name, command })),
    rowOf: () => undefined,
  };
}

function open(world: PeerWorld, run: PeerRun, { name, command }: { name: string; command: string }): Peer {
  const dir = world.folder(run.name);
  const place = { slot: run.name, topic: run.name };
  return new ProcessPeer(world, place, {
    name,
    command: 'sh',
    args: ['-c', `exec ${command}`],
    cwd: dir,
    env: {
      PEER_POSTGRES_URL: world.url,
      PEER_SLOT: place.slot,
      PEER_PUBLICATION: run.publication,
      PEER_TABLE: `public.${run.table}`,
      PEER_BROKER: world.broker,
      PEER_TOPIC: place.topic,
    },
    logFile: join(dir, 'stdout.log'),
  });
}
