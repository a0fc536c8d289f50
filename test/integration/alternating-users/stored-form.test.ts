import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PostgresServer } from '../../../scripts/lab/database/server.ts';
import { canLogin, roleScope, startTestServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';
import { failureOf, twins } from '../../support/twins.ts';

let account: TestAccount;
let server: PostgresServer;
beforeAll(async () => {
  account = await TestAccount.open();
  // A membership is a change of pg_hba.conf that takes effect at once.
  server = await startTestServer({ hba: ['host all +by_password all password', 'host all all all scram-sha-256'] });
  await server.query('CREATE ROLE by_password');
});
afterAll(async () => {
  await account[Symbol.asyncDispose]();
  await server.close();
});

test('a function that is asked for clear text, and applications that are asked for SCRAM: nothing is stored as md5', async () => {
  await using scope = roleScope(server);
  const app = await twins(account, scope);
  const admit = (by: string) => app.administer(`${by} by_password ${by === 'GRANT' ? 'TO' : 'FROM'} ${app.sql.base}`);
  await app.administer(`ALTER ROLE ${app.sql.admin} SET password_encryption = 'md5'`);
  await admit('GRANT');

  const failure = failureOf(await app.secret.rotate());

  expect(failure).toMatchObject({ step: 'setSecret', error_code: 'PASSWORD_FORM_UNKNOWN', username: app.admin.name });
  await admit('REVOKE');
  expect(await canLogin(server, await app.login())).toBe('accepted');

  // What the remedy says is enough.
  await admit('GRANT');
  const [statement = ''] = /ALTER ROLE [^;]*;/.exec(`${failure.remedy}`) ?? [];
  await app.administer(statement);
  const { AWSPENDING: token = '' } = await app.secret.labels();
  expect(await app.secret.rotate({ token })).toMatchObject({ outcome: 'succeeded' });
  expect(await app.identity()).toMatchObject({ session: app.twin });
  await admit('REVOKE');
  expect(await canLogin(server, await app.login())).toBe('accepted');
});
