/**
 * A stack that is upgraded, or taken back, in mid-rotation: each step is given what another version's step left. What
 * 0.1.0 leaves is put there by hand: its version of the secret, and the password in the database.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrange, quoted } from '../../support/arrangement.ts';
import { accepted, expectWorking } from '../../support/login-proof.ts';
import { sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

/** The upgraded function: an instance that has seen nothing of the rotation. */
const fresh = () => ({ environment: { INSTANCE: randomUUID() } });
const arranged = async () => await arrange(account, await sharedServer(), { strategy: 'single-user' });

test("what 0.1.0's createSecret stored, setSecret and the steps after it take", async () => {
  await using here = await arranged();
  const { server, role, secret } = here;
  const token = await secret.begin();
  const stored = `stored-by-another-${randomUUID()}`;
  await secret.put({ password: stored }, ['AWSPENDING'], token);

  for (const step of ['setSecret', 'testSecret', 'finishSecret'] as const) {
    expect(await secret.step(step, token, fresh())).toMatchObject({
      step,
      outcome: expect.stringMatching(/^(?:already-)?done$/),
    });
  }

  expect(await secret.password()).toBe(stored);
  expect(await accepted(server, role, [role.password, stored])).toEqual([false, true]);
  await expectWorking(here);
});

test.each([
  'setSecret',
  'testSecret',
] as const)('a rotation whose new password 0.1.0 has set in the database goes on with %s', async (next) => {
  await using here = await arranged();
  const { server, role, secret } = here;
  const token = await secret.begin();
  expect(await secret.step('createSecret', token)).toMatchObject({ outcome: 'done' });
  const pending = await secret.password({ label: 'AWSPENDING' });
  await server.query(`ALTER ROLE ${quoted(role.name)} PASSWORD '${pending}'`);

  const steps = ['setSecret', 'testSecret', 'finishSecret'] as const;
  for (const step of steps.slice(steps.indexOf(next))) {
    expect(await secret.step(step, token, fresh())).toMatchObject({
      step,
      outcome: expect.stringMatching(/^(?:already-)?done$/),
    });
  }

  expect(await secret.password()).toBe(pending);
  await expectWorking(here);
});
