import { startEmbedded } from './embedded.ts';
import { PostgresServer } from './server.ts';
import { waitFor } from './wait.ts';

export interface ReplicaOptions {
  /** How far the replica stays behind, in milliseconds. Default: as little as it can. */
  readonly applyDelayMs?: number;
}

/** Starts a streaming replica of an embedded server, which is restarted for it: its sessions end. */
export async function startReplica(
  primary: PostgresServer,
  { applyDelayMs = 0 }: ReplicaOptions = {},
): Promise<PostgresServer> {
  if (primary.kind !== 'embedded')
    throw new Error(`A replica needs an embedded primary, and this one is a ${primary.kind}.`);
  const [row] = await primary.pinnedQuery<{ data: string }>(`SELECT current_setting('data_directory') AS data`);
  const { username, password } = primary.superuser;
  await primary.stop();
  const instance = await startEmbedded({
    standbyOf: { data: row?.data ?? '', superuser: primary.superuser },
    settings: {
      primary_conninfo: `host=${primary.host} port=${primary.port} user=${username} password=${password}`,
      recovery_min_apply_delay: `${applyDelayMs}ms`,
      wal_retrieve_retry_interval: '100ms',
    },
  }).finally(() => primary.restart());
  const replica = await PostgresServer.of(instance, { ssl: false, database: 'postgres' });
  await waitFor('the replica to follow its primary', async () => {
    const receivers = await replica.pinnedQuery(`SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming'`);
    return receivers.length > 0 || undefined;
  });
  return replica;
}
