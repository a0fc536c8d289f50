/** A bad night from its first page to its end: at each point doctor names one thing to do, and doing it leads on. */
import { afterAll, expect, it } from 'vitest';
import { arrange } from '../../support/arrangement.ts';
import { attachTo, deploy } from '../../support/attached.ts';
import { expectWorking } from '../../support/login-proof.ts';
import { operator } from '../../support/operator.ts';
import { newestVersion, startTestServer } from '../../support/postgres.ts';

const { account, command } = await operator();

/**
 * What pg_hba.conf says of members of a group: a membership is a change of it that takes effect at once. Nobody answers
 * for `ident` here, so that whoever is a member gets in no longer.
 */
const SHUT_OUT = 'shut_out_at_night';
const server = await startTestServer({
  version: newestVersion(),
  hba: [`host all +${SHUT_OUT} all ident`, 'host all all all scram-sha-256'],
});
await server.query(`CREATE ROLE ${SHUT_OUT}`);
afterAll(async () => await server.close());

/** What doctor's first and last line say. */
async function doctor(arn: string, ...options: string[]): Promise<{ lockedOut: string; next: string }> {
  const { stdout } = await command.run(['doctor', arn, ...options]);
  const lockedOut = /^Are applications locked out now\? (Not known|No|Yes)/.exec(stdout)?.[1] ?? 'unsaid';
  return { lockedOut, next: /\nNext: (.*)\n$/.exec(stdout)?.[1] ?? 'nothing' };
}

/** Types a command as it was told; it asks nobody. */
async function type(told: string, ...more: string[]) {
  const [word, ...args] = told.split(' ');
  expect(word).toBe('rotation');
  return await command.run([...args, ...more]);
}

it('single user: a restore, a wrong value, pg_hba.conf, RDS Proxy', { timeout: 400_000 }, async () => {
  await using here = await arrange(account, server, { strategy: 'single-user' });
  const { arn } = here.secret;
  const role = `"${here.role.name}"`;
  await attachTo(account, arn, deploy(account, 'single-user'));

  // The database is restored from a snapshot that was taken before the last rotation.
  await server.query(`CREATE TABLE snapshot AS SELECT rolpassword FROM pg_authid WHERE rolname = '${here.role.name}'`);
  await here.secret.rotate();
  await attachTo(account, arn, deploy(account, 'single-user'));
  await server.query(
    `UPDATE pg_authid SET rolpassword = s.rolpassword FROM snapshot s WHERE rolname = '${here.role.name}'`,
  );
  const restored = await doctor(arn);
  expect(restored).toEqual({ lockedOut: 'Yes', next: expect.stringMatching(/^rotation doctor \S+ --fix$/) });
  const mended = await type(restored.next, '--yes');
  await expectWorking(here);
  const [, afterwards = ''] = /\nNext: (rotation now \S+)\n$/.exec(mended.stdout) ?? [];
  expect((await type(afterwards)).exitCode).toBe(0);
  await expectWorking(here);

  // Somebody stores a wrong password by hand.
  await here.secret.put({ password: 'a-typo-in-the-middle-of-the-night' });
  const mistyped = await doctor(arn);
  expect(mistyped).toEqual({ lockedOut: 'Yes', next: expect.stringMatching(/^rotation doctor \S+ --fix$/) });
  await type(mistyped.next, '--yes');
  await expectWorking(here);

  // pg_hba.conf is changed between setSecret, which has proven the new password, and testSecret.
  const shut = Promise.withResolvers<void>();
  const stop = account.lab.on((event) => {
    if (event.type !== 'step-ended' || event.step !== 'setSecret' || event.secretArn !== arn) return;
    server.query(`GRANT ${SHUT_OUT} TO ${role}`).then(() => shut.resolve(), shut.reject);
  });
  const late = account.lab.faults.delay({ operation: 'UpdateSecretVersionStage', secret: arn, ms: 3_000 });
  const rotated = await command.run(['now', arn]);
  await shut.promise;
  stop();
  late.remove();
  expect(rotated.stdout).not.toMatch(/still works|The new login works/);
  const shutOut = await doctor(arn);
  expect(shutOut).toEqual({
    lockedOut: 'Yes',
    next: expect.stringMatching(/pg_hba\.conf.*; then: rotation doctor test-\S+$/),
  });
  await server.query(`REVOKE ${SHUT_OUT} FROM ${role}`);
  expect(await doctor(arn)).toEqual({ lockedOut: 'No', next: 'nothing' });
  await expectWorking(here);

  // Somebody puts RDS Proxy's endpoint in front: applications may get in, rotations do not.
  await here.secret.put({ host: 'shop.proxy-abcdefghijkl.us-east-1.rds.amazonaws.com' });
  const behindProxy = await doctor(arn);
  expect(behindProxy).toEqual({
    lockedOut: 'Not known',
    next: expect.stringMatching(/"host".*; then: rotation doctor test-\S+$/),
  });
  await here.secret.put({ host: server.host });
  expect(await doctor(arn)).toEqual({ lockedOut: 'No', next: 'nothing' });
  expect((await command.run(['now', arn])).exitCode).toBe(0);
  await expectWorking(here);
});
