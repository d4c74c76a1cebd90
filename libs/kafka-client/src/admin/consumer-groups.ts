import kafkajs, { type Admin } from 'kafkajs';
import { createKafka, type KafkaConnectionOptions } from '../connection/kafka-connection.ts';
import { classifyConsumerFailure } from '../consumer/kafka-rules.ts';

export interface GroupDescription {
  readonly groupId: string;
  /** `Stable`, `PreparingRebalance`, `CompletingRebalance`, `Empty`, `Dead` or `Unknown`. */
  readonly state: string;
  readonly members: ReadonlyArray<{
    readonly memberId: string;
    readonly clientId: string;
    readonly host: string;
    /** Owned partitions by topic. */
    readonly assignment: Readonly<Record<string, readonly number[]>>;
  }>;
}

/** Ids of the consumer groups that the cluster knows, sorted. */
export async function listGroups(connection: KafkaConnectionOptions): Promise<string[]> {
  return await withAdmin(connection, async (admin) => {
    const { groups } = await admin.listGroups();
    return groups.map(({ groupId }) => groupId).toSorted();
  });
}

/** Who is in a group and owns what. A group that nobody knows is `Dead` and has no members. */
export async function describeGroup(
  connection: KafkaConnectionOptions,
  groupId: string,
): Promise<GroupDescription> {
  return await withAdmin(connection, async (admin) => {
    const { groups } = await admin.describeGroups([groupId]);
    const [group] = groups;
    const members = (group?.members ?? []).map(({ memberId, clientId, clientHost, memberAssignment }) => ({
      memberId,
      clientId,
      host: clientHost,
      // Empty while the group rebalances.
      assignment: memberAssignment.length === 0 ? {} : assignmentOf(memberAssignment),
    }));
    return { groupId, state: group?.state ?? 'Dead', members };
  });
}

function assignmentOf(bytes: Buffer): Record<string, number[]> {
  return kafkajs.AssignerProtocol.MemberAssignment.decode(bytes)?.assignment ?? {};
}

async function withAdmin<T>(
  connection: KafkaConnectionOptions,
  ask: (admin: Admin) => Promise<T>,
): Promise<T> {
  const admin = createKafka(connection, () => {}).admin();
  try {
    await admin.connect();
    return await ask(admin);
  } catch (cause) {
    throw classifyConsumerFailure(cause);
  } finally {
    await admin.disconnect();
  }
}
