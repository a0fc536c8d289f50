/** `now --all` with care: what it would do, the first alone, an end to failures, and a report. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Arrangement, arrange } from '../../support/arrangement.ts';
import { attachTo, deploy, tag } from '../../support/attached.ts';
import { expectWorking } from '../../support/login-proof.ts';
import { operator } from '../../support/operator.ts';
import { toolIsHere } from '../../support/tools.ts';

const hasTerminal = toolIsHere("util-linux's script", ['script', '--version'], 'REQUIRE_TERMINAL');
const { account, command, server } = await operator();

/** Attached and never rotated, under a tag of their own; in the order in which they are rotated. */
async function group(team: string, count: number) {
  const all: Arrangement[] = [];
  for (let index = 0; index < count; index++) {
    const here = await arrange(account, server, { strategy: 'single-user' }, { named: `${team}${index}` });
    await attachTo(account, here.secret.arn, deploy(account, 'single-user'));
    await tag(account, here.secret.arn, { team });
    all.push(here);
  }
  return {
    inOrder: all.sort((a, b) => a.secret.arn.localeCompare(b.secret.arn)),
    args: ['now', '--all', '--filter', `tag:team=${team}`, '--no-login', '--yes'],
    async [Symbol.asyncDispose]() {
      for (const here of all) await here[Symbol.asyncDispose]();
    },
  };
}

const lock = async (role: string) => await server.query(`ALTER ROLE "${role}" NOLOGIN`);

// Several commands each, and each is a process.
describe('rotation now --all', { timeout: 180_000 }, () => {
  it('shows with --dry-run what it would rotate, and rotates nothing', async () => {
    await using these = await group('dry', 1);
    const before = await these.inOrder[0]?.secret.labels();
    const { exitCode, stdout } = await command.run([...these.args, '--dry-run']);
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: expect.stringMatching(/^In account .*: test-\S+\n1 secret would be rotated; nothing was changed/),
    });
    expect(await these.inOrder[0]?.secret.labels()).toEqual(before);
  });

  it('begins no other where the first does not go well, and counts what it left', async () => {
    await using these = await group('canary', 3);
    const [first, second] = these.inOrder;
    await lock(first?.role.name ?? '');
    const before = await second?.secret.labels();
    const { exitCode, stdout } = await command.run(these.args);
    expect(exitCode).toBe(3);
    expect(stdout).toContain(
      'The first did not go well, so no other was begun.\n3 secrets: 0 rotated, 1 failed, 0 not known, 2 not started.\n',
    );
    expect(await second?.secret.labels()).toEqual(before);
  });

  it('begins no more after so many failures, repeats them at the end, and --failed takes up only those', async () => {
    await using these = await group('failures', 4);
    const [sound, ...others] = these.inOrder;
    for (const { role } of others) await lock(role.name);
    const folder = await mkdtemp(join(tmpdir(), 'report-'));
    const report = join(folder, 'report.json');
    const careful = await command.run([...these.args, '--stop-after', '1', '--at-once', '1', '--report', report]);
    expect(careful.exitCode).toBe(3);
    expect(careful.stdout).toMatch(
      /\n4 secrets: 1 rotated, 1 failed, 0 not known, 2 not started\.\n {2}✗ test-\S+ {2}LOGIN_FORBIDDEN/,
    );
    const written = JSON.parse(await readFile(report, 'utf8'));
    await rm(folder, { recursive: true });
    expect(written.counts).toEqual({ rotated: 1, failed: 1, unproven: 0, notStarted: 2 });

    const failed = await command.json([...these.args, '--failed', '--dry-run']);
    expect(failed.answer.secrets).toMatchObject([{ arn: others[0]?.secret.arn }]);
    const old = await command.json([...these.args, '--not-rotated-since', '1h', '--dry-run']);
    expect(old.answer.secrets).toHaveLength(3);
    expect(old.answer.secrets).not.toContainEqual(expect.objectContaining({ arn: sound?.secret.arn }));
  });

  it.each([
    [['a', '--failed'], /--failed goes with --all/],
    [['a', '--stop-after', '2'], /--stop-after goes with --all/],
    [['--all', '--not-rotated-since', 'ever'], /An age such as 30d or 12h was needed/],
  ])('makes no sense of %j', async (args, words) => {
    expect(await command.run(['now', ...args])).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(words) });
  });

  it.skipIf(!hasTerminal)(
    'tells at the Ctrl-C key what was done, what goes on by itself, and what was not begun',
    async () => {
      await using these = await group('interrupted', 4);
      const [, second, third] = these.inOrder;
      const arn = second?.secret.arn ?? '';
      const slow = account.lab.faults.delay({ operation: 'PutSecretValue', secret: arn, ms: 6_000 });
      const begun = Promise.withResolvers<void>();
      const stop = account.lab.on((event) => {
        if (event.type === 'step-started' && event.secretArn === arn) begun.resolve();
      });
      const untouched = await third?.secret.labels();
      const running = command.onTerminal([...these.args, '--at-once', '1']);
      await begun.promise;
      running.type('\x03');
      const { exitCode } = await running.ended();
      stop();
      expect(running.text).toContain('4 secrets: 1 rotated, 0 failed, 1 not known, 2 not started.');
      expect(running.text.match(/not started/g)).toHaveLength(1);
      expect(exitCode).toBe(130);
      // Secrets Manager goes on with what it has begun.
      await account.lab.settled(arn);
      slow.remove();
      if (second !== undefined) await expectWorking(second);
      expect(await third?.secret.labels()).toEqual(untouched);
    },
  );
});
