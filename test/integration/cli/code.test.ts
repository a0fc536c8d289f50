/** What `rotation` writes for others: code that logs in, and another value of a secret. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { arrange } from '../../support/arrangement.ts';
import { installBeside, installClient } from '../../support/installed-client.ts';
import { operator } from '../../support/operator.ts';
import { toolIsHere } from '../../support/tools.ts';

const { account, command, server } = await operator();
const single = { strategy: 'single-user' } as const;

it('writes code for Node that logs in after a rotation too', async () => {
  await using here = await arrange(account, server, single);
  const folder = await mkdtemp(join(tmpdir(), 'code-'));
  try {
    await installClient(folder);
    await installBeside(folder, ['pg', '@aws-sdk/client-secrets-manager']);
    const { stdout } = await command.run(['code', here.secret.arn, '--lang', 'node']);
    await writeFile(join(folder, 'login.mjs'), stdout);
    await here.secret.rotate();
    const env = {
      PATH: process.env.PATH,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_ENDPOINT_URL: account.lab.endpoint,
    };
    const child = await ended(join(folder, 'login.mjs'), env);
    expect(child).toEqual({ status: 0, output: `${here.role.name}\n` });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

/** The lab answers from this process, which must not wait for it. */
async function ended(script: string, env: NodeJS.ProcessEnv) {
  const { execFile } = await import('node:child_process');
  return await new Promise((resolve) => {
    execFile(process.execPath, [script], { env }, (error, stdout, stderr) =>
      resolve({ status: error?.code ?? 0, output: stdout + stderr }),
    );
  });
}

const hasPython = toolIsHere('Python 3', ['python3', '--version'], 'REQUIRE_PYTHON');

it.skipIf(!hasPython)('writes code for Python that Python can read, and names no value in any language', async () => {
  await using here = await arrange(account, server, single);
  const { answer } = await command.json(['code', here.secret.arn, '--lang', 'python']);
  const parse = 'import ast, sys; ast.parse(sys.stdin.read())';
  expect(spawnSync('python3', ['-c', parse], { input: answer.code }).status).toBe(0);
  expect(answer.code).toContain(`SecretId="${answer.secret}"`);
  expect(account.lab.requests.all().filter(({ operation }) => operation === 'GetSecretValue')).not.toContainEqual(
    expect.objectContaining({ secretId: here.secret.arn }),
  );
});

it('stores another value only where a login proves it, and keeps the rest of the secret', async () => {
  await using here = await arrange(account, server, single, { members: { note: 'kept' } });
  const { arn } = here.secret;
  await server.query(`ALTER ROLE "${here.role.name}" PASSWORD 'set-by-hand'`);
  account.leaks.keepSecret('set-by-hand');
  const wrong = await command.run(['update', arn, '--password-stdin', '--yes'], { stdin: 'not-this-one\n' });
  expect(wrong).toMatchObject({ exitCode: 4, stderr: expect.stringContaining('nothing was stored') });
  const before = await here.secret.labels();
  const right = await command.run(['update', arn, '--password-stdin', '--yes'], { stdin: 'set-by-hand\n' });
  expect(right).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('password: another one') });
  expect(JSON.parse(await here.secret.text())).toMatchObject({ password: 'set-by-hand', note: 'kept' });
  const after = await here.secret.labels();
  expect(after).toEqual({ AWSCURRENT: expect.any(String), AWSPREVIOUS: before.AWSCURRENT });
  expect((await here.secret.rotate()).outcome).toBe('succeeded');
}, 120_000);

it('leaves everything of the text that it was not told to change, and has copies of the login follow', async () => {
  await using here = await arrange(account, server, single);
  const { arn } = here.secret;
  const { name, password } = here.role;
  const { host, port } = server;
  const login = `"engine":"postgres","host":"${host}","username":"${name}"`;
  const url = (word: string) => `"DATABASE_URL":"postgres://${name}:${word}@${host}:${port}/postgres"`;
  const written = (word: string, more: string) =>
    `{ "id": 12345678901234567890, "n": 1.0, ${login}, "port" : "${port}", "e":"\\u00e4\\/", ${url(word)}, "password": "${word}"${more} }`;
  await here.secret.putText(written(password, ', "ssl": false'));
  const next = 'another-one-by-hand';
  account.leaks.keepSecret(next);
  await server.query(`ALTER ROLE "${name}" PASSWORD '${next}'`);
  const args = ['update', arn, '--password-stdin', '--dbname', 'template1', '--yes'];
  const { exitCode, stdout } = await command.run(args, { stdin: `${next}\n` });
  expect({ exitCode, stdout }).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(
      /DATABASE_URL: this user and password too\n.*DATABASE_URL: its server and database stay/s,
    ),
  });
  expect(await here.secret.text()).toBe(written(next, ', "ssl": false, "dbname": "template1"'));
}, 120_000);

it('changes nothing in the middle of a rotation', async () => {
  await using here = await arrange(account, server, single);
  await here.secret.begin();
  const { exitCode, answer } = await command.json(['update', here.secret.arn, '--port', '5433', '--yes']);
  expect({ exitCode, code: answer.error.code }).toEqual({ exitCode: 4, code: 'ROTATING' });
});
