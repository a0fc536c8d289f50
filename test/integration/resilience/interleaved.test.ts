import { afterAll, beforeAll, expect, test } from 'vitest';
import { canLogin, roleScope, sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';
import { twins } from '../../support/twins.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

test.each([
  'single-user',
  'alternating-users',
] as const)('%s: a version that was tested is not promoted once another rotation has set another password', async (strategy) => {
  const server = await sharedServer();
  await using scope = roleScope(server);
  const app = await twins(account, scope);
  const secret = strategy === 'single-user' ? await account.secretFor(server, app.base, { strategy }) : app.secret;
  const first = await secret.begin();
  await secret.stepsUntil('testSecret', first);
  await secret.unlabel('AWSPENDING', first);
  const second = await secret.begin();
  await secret.stepsUntil('setSecret', second);
  await secret.moveLabel('AWSPENDING', second, first);

  expect(await secret.step('finishSecret', first)).toMatchObject({ error_code: 'PASSWORD_NOT_ACCEPTED' });

  // An operator sees the failure and lets the service try the label's rotation again.
  expect((await secret.stepsUntil('finishSecret', first)).at(-1)).toMatchObject({ outcome: 'done' });
  const { username: user, password, dbname: database } = JSON.parse(await secret.text());
  expect(await canLogin(server, { user, password, database })).toBe('accepted');
});
