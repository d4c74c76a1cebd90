import { createKafka } from '@pgstream/kafka-client';
import type { Scene } from './scene.ts';

type Admin = ReturnType<ReturnType<typeof createKafka>['admin']>;

/** Asks the brokers of a scene for something, not through its links. */
export async function withAdmin<T>(scene: Scene, ask: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = createKafka(scene.system.connection, () => undefined).admin({ retry: { retries: 5 } });
  await admin.connect();
  try {
    return await ask(admin);
  } finally {
    await admin.disconnect();
  }
}
