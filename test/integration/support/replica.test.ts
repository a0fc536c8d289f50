import { expect, test } from 'vitest';
import { startReplica } from '../../../scripts/lab/database/replica.ts';
import { startPostgres } from '../../../scripts/lab/database/server.ts';
import { waitFor } from '../../../scripts/lab/database/wait.ts';
import { canLogin, roleScope } from '../../support/postgres.ts';

test('a replica follows its primary, with the lag asked for, and is read-only', async () => {
  await using primary = await startPostgres({ source: 'embedded' });
  await using replica = await startReplica(primary, { applyDelayMs: 50 });
  await using scope = roleScope(primary);
  await replica.query('SELECT pg_wal_replay_pause()'); // a lag as long as the test needs
  const app = await scope.createAppRole();
  const login = { user: app.name, password: app.password };

  expect(await canLogin(primary, login)).toBe('accepted');
  expect(await canLogin(replica, login)).toBe('refused');
  await replica.query('SELECT pg_wal_replay_resume()');
  await waitFor(
    'the new role on the replica',
    async () => (await canLogin(replica, login)) === 'accepted' || undefined,
  );
  await expect(replica.query(`DELETE FROM ${app.table}`)).rejects.toMatchObject({ code: '25006' });
  expect(await replica.query('SHOW recovery_min_apply_delay')).toEqual([{ recovery_min_apply_delay: '50ms' }]);
});
