/** A bad night from its first page to its end: at each point doctor names one thing to do, and doing it leads on. */
import { readFile } from 'node:fs/promises';
import { DescribeSecretCommand } from '@aws-sdk/client-secrets-manager';
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

/** What was typed and what the first line and the last ones of the answers were, as docs/runbook.md shows it. */
const transcript: string[] = [];
/** The names of a run, as the page has them. */
const names = new Map<string, string>();

function note(typed: string, stdout: string): void {
  const lines = stdout.trimEnd().split('\n');
  const last = lines.slice(lines.lastIndexOf('') + 1).slice(-3);
  const shown = lines.length < 4 ? lines : [lines[0] ?? '', '…', ...(lines.includes('') ? last : last.slice(-1))];
  const text = [`$ ${typed}`, ...shown].join('\n');
  const named = Array.from(names).reduce((whole, [name, on]) => whole.replaceAll(name, on), text);
  transcript.push(
    named
      .replaceAll(/version [0-9a-f]{8}\b/g, 'version 0a1b2c3d')
      .replaceAll(/amazonaws\.com:\d+/g, 'amazonaws.com:5432'),
  );
}

/** What doctor's first and last line say. */
async function doctor(arn: string, ...options: string[]): Promise<{ lockedOut: string; next: string }> {
  const { stdout } = await command.run(['doctor', arn, ...options]);
  note(['rotation doctor prod/shop', ...options].join(' '), stdout);
  const lockedOut = /^Are applications locked out now\? (Not known|No|Yes)/.exec(stdout)?.[1] ?? 'unsaid';
  return { lockedOut, next: /\nNext: (.*)\n$/.exec(stdout)?.[1] ?? 'nothing' };
}

/** Types a command as it was told; it asks nobody. */
async function type(told: string, ...more: string[]) {
  const [word, ...args] = told.split(' ');
  expect(word).toBe('rotation');
  const result = await command.run([...args, ...more]);
  note([told, ...more].join(' '), result.stdout);
  return result;
}

it('single user: a restore, a wrong value, pg_hba.conf, RDS Proxy', { timeout: 400_000 }, async () => {
  await using here = await arrange(account, server, { strategy: 'single-user' });
  const { arn } = here.secret;
  const role = `"${here.role.name}"`;
  const { Name = '' } = await account.client.send(new DescribeSecretCommand({ SecretId: arn }));
  for (const [name, on] of [
    [Name, 'prod/shop'],
    [here.role.name, 'shop'],
    [`${server.host}:${server.port}`, 'db.example.com:5432'],
    [server.host, 'db.example.com'],
  ] as const)
    names.set(name, on);
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
    next: expect.stringMatching(/^rotation update \S+ --host …; then: rotation doctor test-\S+$/),
  });
  const [correct = ''] = behindProxy.next.replace('…', server.host).split(';');
  expect((await type(correct, '--yes')).exitCode).toBe(0);
  expect(await doctor(arn)).toEqual({ lockedOut: 'No', next: 'nothing' });
  expect((await command.run(['now', arn])).exitCode).toBe(0);
  await expectWorking(here);

  // The page shows what was said, but for ids that are others each time.
  const page = await readFile(new URL('../../../docs/runbook.md', import.meta.url), 'utf8');
  const [, night = ''] = page.split('\n## A bad night\n');
  const shown = Array.from(night.matchAll(/```text\n(.+?)\n```/gs), ([, text = '']) => text).join('\n\n');
  expect(shown).toBe(transcript.join('\n\n'));
});
