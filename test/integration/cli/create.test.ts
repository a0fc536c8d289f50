import { DescribeSecretCommand, GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { expect, it } from 'vitest';
import { operator } from '../../support/operator.ts';
import { roleScope } from '../../support/postgres.ts';
import { freshName } from '../../support/secrets-lab-client.ts';
import { toolIsHere } from '../../support/tools.ts';

const hasTerminal = toolIsHere("util-linux's script", ['script', '--version'], 'REQUIRE_TERMINAL');

const { account, command, server } = await operator();

const read = async (SecretId: string) =>
  JSON.parse((await account.client.send(new GetSecretValueCommand({ SecretId }))).SecretString ?? '');
const isThere = async (SecretId: string) =>
  await account.client.send(new DescribeSecretCommand({ SecretId })).then(
    () => true,
    () => false,
  );
/** The test's servers have no TLS. */
const plain = () => ['--host', server.host, '--port', String(server.port), '--ssl', 'false'];

it('stores the JSON that rotation functions read, proven by a login, with key, tags and replicas', async () => {
  await using scope = roleScope(server);
  const role = await scope.createAppRole();
  const name = freshName('create/shop');
  account.lab.resources.keys.push({ id: 'shop', aliases: ['alias/shop'] });
  const { exitCode, stdout } = await command.run(
    [
      ...['create', name, ...plain(), '--username', role.name, '--dbname', role.database, '--password-stdin'],
      ...['--tag', 'team=payments', '--tag', 'stage=a=b', '--replica-region', 'eu-west-1', '--description', 'The shop'],
      ...['--kms-key-id', 'alias/shop'],
    ],
    { stdin: `${role.password}\n` },
  );
  expect(exitCode).toBe(0);
  expect(stdout).toContain(
    `Stored ${name}: ${role.name}@${server.host}:${server.port}/${role.database}; its login works.`,
  );
  expect(await read(name)).toEqual({
    engine: 'postgres',
    host: server.host,
    port: server.port,
    username: role.name,
    password: role.password,
    dbname: role.database,
    ssl: false,
  });
  expect(await account.client.send(new DescribeSecretCommand({ SecretId: name }))).toMatchObject({
    KmsKeyId: 'alias/shop',
    Description: 'The shop',
    Tags: [
      { Key: 'team', Value: 'payments' },
      { Key: 'stage', Value: 'a=b' },
    ],
    ReplicationStatus: [{ Region: 'eu-west-1', Status: 'InSync' }],
  });
  expect(command.written).not.toContain(role.password);
});

it('makes what attach and now take', async () => {
  await using scope = roleScope(server);
  const role = await scope.createAppRole();
  const name = freshName('create/whole');
  const args = ['create', name, ...plain(), '--username', role.name, '--password-stdin'];
  expect(await command.json(args, { stdin: role.password })).toMatchObject({
    exitCode: 0,
    answer: { secret: name, arn: expect.stringMatching(/^arn:/), login: 'accepted', replicas: [] },
  });
  const functionArn = account.function({ strategy: 'single-user' });
  expect((await command.run(['attach', name, '--function', functionArn, '--yes'])).exitCode).toBe(0);
  expect((await command.run(['now', name])).exitCode).toBe(0);
  expect((await read(name)).password).not.toBe(role.password);
});

it('stores nothing where the server refuses the password', async () => {
  await using scope = roleScope(server);
  const role = await scope.createAppRole();
  const name = freshName('create/wrong');
  const args = ['create', name, ...plain(), '--username', role.name, '--password-stdin'];
  const { exitCode, stderr, stdout } = await command.run(args, { stdin: 'quite-the-wrong-one' });
  expect({ exitCode, stdout }).toEqual({ exitCode: 4, stdout: '' });
  expect(stderr).toContain('it refused it; nothing was stored.');
  expect(await isThere(name)).toBe(false);
  expect(command.written).not.toContain('quite-the-wrong-one');
});

it('stores nothing where the server can not be reached, and stores unproven with --no-login', async () => {
  const name = freshName('create/far');
  const args = ['create', name, '--host', '127.0.0.1', '--port', '1', '--username', 'shop', '--password-stdin'];
  const { exitCode, stderr } = await command.run(args, { stdin: 'never-to-be-seen' });
  expect(exitCode).toBe(4);
  expect(stderr).toMatch(/nothing accepted a connection there.*nothing was stored\.\nwhat to do: .*--no-login/);
  expect(await isThere(name)).toBe(false);
  const unproven = await command.run([...args, '--no-login'], { stdin: 'never-to-be-seen' });
  expect(unproven).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('was not tried (--no-login)') });
  expect(await read(name)).toEqual({
    engine: 'postgres',
    host: '127.0.0.1',
    port: 1,
    username: 'shop',
    password: 'never-to-be-seen',
    dbname: 'postgres',
  });
  expect((await command.run([...args, '--no-login'], { stdin: 'never-to-be-seen' })).exitCode).toBe(4);
  expect(command.written).not.toContain('never-to-be-seen');
});

it('refuses what makes no sense, naming it', async () => {
  const refusals: [args: string[], stdin: string, words: RegExp][] = [
    [['--username', 'u', '--password-stdin'], 'p', /--host was needed, and there is no terminal/],
    [['--host', 'h', '--username', 'u'], 'p', /A password was needed.*\n.*--password-stdin/],
    [['--host', 'h', '--username', 'u', '--password-stdin'], '', /A password was needed on stdin/],
    [['--host', 'h,i', '--username', 'u', '--password-stdin'], 'p', /host: one DNS name or IP address/],
    // Before anybody is asked for anything, or for the password.
    [['--port', '99999'], '', /'--port <port>' argument '99999' is invalid. A whole number from 1 to 65535/],
    [['--host', 'h', '--port', 'x', '--username', 'u', '--password-stdin'], 'p', /A whole number from 1 to 65535/],
    [['--host', 'h:5432', '--username', 'u'], '', /found a port behind it.*\n.*Correct --host; nothing was stored/],
    [['--host', 'h', '--username', 'u'.repeat(64)], '', /username: at most 63 bytes/],
    [['--host', 'h', '--username', 'u', '--password-stdin', '--tag', 'team'], 'p', /A tag is KEY=VALUE/],
    [['--host', 'h', '--username', 'u', '--password', 'p'], '', /unknown option '--password'/],
    [['--engine', 'mysql'], '', /'mysql' is invalid/],
    [['--superuser-secret', 'nonsense'], '', /The ARN of a secret was needed, found "nonsense"/],
    [['--superuser-secret', 'arn:aws:iam::123456789012:role/r'], '', /The ARN of a secret was needed/],
    [['--ca-file', '/nope.pem'], '', /--ca-file must name a file of CA certificates/],
  ];
  const outcomes = refusals.map(async ([args, stdin, words]) => {
    const { exitCode, stderr } = await command.run(['create', 'nonsense', ...args], { stdin });
    expect({ args, exitCode, stderr }).toEqual({ args, exitCode: 2, stderr: expect.stringMatching(words) });
  });
  await Promise.all(outcomes);
});

it.skipIf(!hasTerminal)('asks on a terminal for what is missing, and shows no password', async () => {
  await using scope = roleScope(server);
  const role = await scope.createAppRole();
  const name = freshName('create/asked');
  const running = command.onTerminal(['create', name, '--port', String(server.port), '--ssl', 'false']);
  await running.says('Host:');
  running.type(`${server.host}\r`);
  await running.says('User:');
  running.type(`${role.name}\r`);
  await running.says(`Password of ${role.name} (not shown):`);
  running.type(`${role.password}\r`);
  expect((await running.ended()).exitCode).toBe(0);
  expect(running.text).toContain(`Stored ${name}`);
  expect(await read(name)).toMatchObject({ username: role.name, password: role.password });
  expect(command.written).not.toContain(role.password);
});

it.skipIf(!hasTerminal).each([
  ['Ctrl-C', '\x03', []],
  ['Ctrl-D', '\x04', []],
  ['Ctrl-D, where a password is asked for,', '\x04', ['--username', 'somebody']],
])('stores nothing when %s answers a question', async (_, key, args) => {
  const name = freshName('create/left');
  const running = command.onTerminal(['create', name, '--host', server.host, ...args]);
  await running.says(args.length === 0 ? 'User:' : 'Password of');
  running.type(key);
  expect((await running.ended()).exitCode).toBe(130);
  expect(running.text).not.toContain('Warning');
  expect(await isThere(name)).toBe(false);
});
