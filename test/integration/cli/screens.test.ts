/** What is seen: on narrow terminals, of replicas, while AWS throttles, and of names that would steer a terminal. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReplicateSecretToRegionsCommand } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { textWidth } from '../../../shared/terminal/table.ts';
import { arrange } from '../../support/arrangement.ts';
import { attachTo, deploy } from '../../support/attached.ts';
import { operator } from '../../support/operator.ts';
import { toolIsHere } from '../../support/tools.ts';

const hasTerminal = toolIsHere("util-linux's script", ['script', '--version'], 'REQUIRE_TERMINAL');

const { account, command, server } = await operator();

async function attached() {
  const here = await arrange(account, server, { strategy: 'single-user' });
  await attachTo(account, here.secret.arn, deploy(account, 'single-user'));
  return here;
}

const linesOf = (text: string) => text.replaceAll('\r', '').split('\n');

describe.skipIf(!hasTerminal)('on a narrow terminal', () => {
  it.each([60, 80])('of %i columns: no line is longer, and the state comes first', async (columns) => {
    await using here = await attached();
    await server.query(`ALTER ROLE "${here.role.name}" NOLOGIN`);
    await command.run(['now', here.secret.arn]);
    for (const subcommand of ['status', 'doctor']) {
      const running = command.onTerminal([subcommand, here.secret.arn], { columns, env: { TERM: 'dumb' } });
      await running.ended();
      const lines = linesOf(running.text);
      // What can't be broken, such as an ARN, is all that may be longer.
      const long = lines.filter((line) => textWidth(line) > columns && line.trim().includes(' '));
      expect({ subcommand, long }).toEqual({ subcommand, long: [] });
      expect(lines.length).toBeGreaterThan(5);
      if (subcommand === 'doctor' && columns === 60) expect(running.text).toMatch(/^ok {7}function\r?\n {9}\S+/m);
      if (subcommand === 'status') expect(running.text).toMatch(/^(?:STATE .*\r?\n)?failed /m);
    }
  });
});

describe('a replica', () => {
  it('is one word of its primary, and leads there', async () => {
    await using here = await attached();
    const { arn } = here.secret;
    const regions = ['eu-west-1', 'eu-central-1'];
    await account.client.send(
      new ReplicateSecretToRegionsCommand({ SecretId: arn, AddReplicaRegions: regions.map((Region) => ({ Region })) }),
    );
    expect((await command.run(['status', arn])).stdout).toContain('replicas: eu-west-1 InSync, eu-central-1 InSync\n');
    const replica = arn.replace('us-east-1', 'eu-west-1');
    for (const subcommand of ['now', 'attach']) {
      const { exitCode, stderr } = await command.run([subcommand, replica]);
      expect({ exitCode, stderr }).toEqual({
        exitCode: 4,
        stderr: expect.stringContaining(
          `is a replica of the one in us-east-1.\nwhat to do: Its values follow: rotation ${subcommand} ${arn}\n`,
        ),
      });
    }
    const { answer } = await command.json(['doctor', replica]);
    expect(answer).toMatchObject({ broken: 1, next: expect.stringContaining(`rotation doctor ${arn}`) });
  });
});

it('status --watch goes on after a look that AWS has throttled', async () => {
  await using here = await attached();
  const running = command.start(['status', here.secret.arn, '--watch', '1', '--json'], {
    env: { AWS_MAX_ATTEMPTS: '1' },
  });
  await running.says(/"state":"ok"/);
  const throttled = { operation: 'DescribeSecret', secret: here.secret.arn, times: 1 };
  account.lab.faults.fail({ ...throttled, type: 'ThrottlingException', message: 'Rate exceeded' });
  await running.says(/ThrottlingException.*\n(?:.*\n)*.*"state":"ok"/);
  running.child.kill('SIGINT');
  expect((await running.ended()).exitCode).toBe(130);
});

it('no name steers a terminal, in JSON neither', async () => {
  const username = 'app\u001B]0;owned\u0007\u009B31m\u202E';
  const secret = await account.store(
    { strategy: 'single-user' },
    JSON.stringify({ engine: 'postgres', host: 'db.example.com', username, password: 'never-shown-anywhere' }),
  );
  const people = await command.run(['status', secret.arn]);
  const programs = await command.run(['status', secret.arn, '--json']);
  for (const { stdout } of [people, programs]) {
    expect(stdout).toContain(String.raw`app\u001b]0;owned\u0007\u009b31m\u202e`);
    for (const steering of ['\u001B', '\u0007', '\u009B', '\u202E']) expect(stdout).not.toContain(steering);
  }
  expect(JSON.parse(programs.stdout).secrets[0].username).toBe(username);
});

describe('create', () => {
  const login = ['--host', '127.0.0.1', '--port', '1', '--username', 'app', '--password-stdin'];

  it('refuses a name that is taken, or is none, before it asks for a password', async () => {
    await using here = await attached();
    const taken = await command.run(['create', here.secret.arn.split(':')[6]?.replace(/-\w{6}$/, '') ?? '', ...login]);
    expect(taken).toMatchObject({ exitCode: 4, stderr: expect.stringMatching(/there is a secret test-/) });
    const none = await command.run(['create', 'my secret', ...login]);
    expect(none).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('A name of up to 512') });
  });

  it('names its own options where something is to be corrected', async () => {
    const refused = await command.run(['create', 'never', ...login], { stdin: 'unused-as-nothing-listens' });
    expect(refused.stderr).toMatch(/nothing was stored\.\nwhat to do: Correct --host or --port\./);
    const malformed = await command.run(['create', 'never', ...login, '--host', 'db:5432'], { stdin: 'unused' });
    expect(malformed).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('what to do: Correct --host;') });
  });
});

describe('a command that is to be pasted', () => {
  it('stands as it is where `rotation` is on PATH, and else it is said how it was called', async () => {
    await using here = await attached();
    await here.secret.put({ password: 'not-the-one-that-the-server-has' });
    const folder = await mkdtemp(join(tmpdir(), 'path-'));
    await writeFile(join(folder, 'rotation'), '');
    const PATH = `${folder}:${process.env.PATH}`;
    const found = await command.run(['doctor', here.secret.arn], { env: { PATH } });
    const missing = await command.run(['doctor', here.secret.arn]);
    const script = await command.run(['doctor', here.secret.arn], { env: { npm_lifecycle_event: 'rotation' } });
    await rm(folder, { recursive: true });
    expect(found.stderr).toBe('');
    expect(missing.stderr).toMatch(/^`rotation` is `\/\S+\/bin\/rotation\.mjs` here\.\n$/);
    expect(script.stderr).toBe('`rotation` is `npm run rotation --` here.\n');
  });
});
