import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { promisify } from 'node:util';
import {
  GetSecretValueCommand,
  ListSecretsCommand,
  RotateSecretCommand,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { Client } from 'pg';
import { describe, expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../../../scripts/lab/database/server.ts';
import { waitFor } from '../../../scripts/lab/database/wait.ts';
import { clientOf, eventually } from '../../support/secrets-lab-client.ts';
import { ProjectCommand, passwordsIn } from './project-command.ts';

const LAB = 'scripts/lab.ts';
const SINGLE_USER = 'arn:aws:lambda:us-east-1:123456789012:function:postgres-rotation-single-user';
const ALTERNATING_USERS = 'arn:aws:lambda:us-east-1:123456789012:function:postgres-rotation-alternating-users';

interface Ready {
  readonly pid: number;
  readonly endpoint: string;
  readonly database: { readonly host: string; readonly port: number };
  readonly functions: Readonly<Record<string, string>>;
  readonly secrets: readonly { readonly name: string; readonly arn: string; readonly strategy: string }[];
}

async function ready(lab: ProjectCommand): Promise<Ready> {
  return JSON.parse(await lab.printed(/^.*\n/));
}

async function readSecret(client: SecretsManagerClient, name: string) {
  const { SecretString = '', VersionId } = await client.send(new GetSecretValueCommand({ SecretId: name }));
  return { VersionId, login: JSON.parse(SecretString) };
}

/** Rotates, and waits for the new version to be current. @returns its login. */
async function rotated(client: SecretsManagerClient, name: string) {
  const { VersionId } = await client.send(new RotateSecretCommand({ SecretId: name }));
  return await eventually(async () => {
    const current = await readSecret(client, name);
    return current.VersionId === VersionId ? current.login : undefined;
  });
}

/** Of a shell in which everything is set for some other server and account. */
const ELSEWHERE = {
  AWS_PROFILE: 'other',
  AWS_REGION: 'eu-central-1',
  AWS_ENDPOINT_URL_SECRETS_MANAGER: 'http://127.0.0.1:1',
  HTTP_PROXY: 'http://127.0.0.1:1',
  http_proxy: 'http://127.0.0.1:1',
  NO_PROXY: 'nowhere.invalid',
  PGSERVICE: 'other',
  PGSSLMODE: 'verify-full',
};

/** What the first lines to paste make of the environment of such a shell. */
async function pastedInto(shell: NodeJS.ProcessEnv, guide: string): Promise<Readonly<Record<string, string>>> {
  const lines = guide.match(/^ *(?:export|unset) .*$/gm) ?? [];
  const script = [...lines, 'exec "$0" -p "JSON.stringify(process.env)"'].join('\n');
  const { stdout } = await promisify(execFile)('bash', ['-c', script, process.execPath], {
    env: { PATH: process.env.PATH, ...shell },
  });
  return JSON.parse(stdout);
}

async function query(login: Record<string, string>, sql: string) {
  const { host, port, username: user, password, dbname: database } = login;
  const session = new Client({ host, port: Number(port), user, password, database });
  await session.connect();
  try {
    return (await session.query(sql)).rows;
  } finally {
    await session.end();
  }
}

describe('npm run lab', () => {
  it('--json prints one line for programs, and an AWS client then rotates both secrets', async () => {
    await using lab = await ProjectCommand.start(LAB, ['--json']);
    const { endpoint, functions, secrets, database } = await ready(lab);
    expect(new URL(endpoint).hostname).toBe('127.0.0.1');
    expect(database).toMatchObject({ kind: 'embedded', host: '127.0.0.1' });
    expect(functions).toEqual({ 'single-user': SINGLE_USER, 'alternating-users': ALTERNATING_USERS });

    const client = clientOf({ endpoint });
    const { SecretList = [] } = await client.send(new ListSecretsCommand({}));
    expect(SecretList.map(({ Name, RotationLambdaARN }) => [Name, RotationLambdaARN])).toEqual([
      ['lab/superuser', undefined],
      ['lab/shop', SINGLE_USER],
      ['lab/billing', ALTERNATING_USERS],
      ['lab/rotator', undefined],
      ['lab/ledger', ALTERNATING_USERS],
    ]);
    expect(secrets.map(({ name }) => name)).toEqual(['lab/shop', 'lab/billing', 'lab/ledger']);

    const shop = await rotated(client, 'lab/shop');
    expect(await query(shop, 'SELECT item FROM lab_orders')).toEqual([{ item: 'first' }]);
    const billing = await rotated(client, 'lab/billing');
    expect(await query(billing, 'SELECT session_user, current_user, item FROM lab_invoices')).toEqual([
      { session_user: 'lab_billing_clone', current_user: 'lab_billing', item: 'first' },
    ]);
    // Its administrator has no password at all: it logs in by IAM.
    const rotator = await readSecret(client, 'lab/rotator');
    expect(rotator.login).toMatchObject({ username: 'lab_rotator', iam: true });
    expect(rotator.login).not.toHaveProperty('password');
    const ledger = await rotated(client, 'lab/ledger');
    const { host, port } = database;
    expect(await query({ ...ledger, host, port: String(port) }, 'SELECT session_user, item FROM lab_entries')).toEqual([
      { session_user: 'lab_ledger_clone', item: 'first' },
    ]);
    client.destroy();

    const exitCode = await lab.terminate();
    expect({ exitCode, leftovers: await lab.leftovers() }).toEqual({ exitCode: 143, leftovers: [] });
    expect(lab.stdout.split('\n')).toHaveLength(2);
    expect(lab.stderr).toBe('');
    expect(passwordsIn(lab.stdout)).toEqual([]);
  });

  it('prints commands to paste, shows rotations as they happen, and is gone after Ctrl-C', async () => {
    await using lab = await ProjectCommand.start(LAB);
    const guide = await lab.printed('Ctrl-C ends the lab');
    for (const part of [
      SINGLE_USER,
      ALTERNATING_USERS,
      'aws secretsmanager list-secrets',
      'aws secretsmanager rotate-secret --secret-id lab/shop',
      'aws secretsmanager get-secret-value --secret-id lab/billing',
      'npm run rotation -- now lab/shop',
      'npm run rotation -- doctor lab/billing',
      'psql -h 127.0.0.1 -p ',
    ]) {
      expect(guide).toContain(part);
    }
    const environment = await pastedInto(ELSEWHERE, guide);
    expect(Object.keys(environment).filter((name) => name.startsWith('PG'))).toEqual([]);
    const client = clientOf({ endpoint: environment.AWS_ENDPOINT_URL ?? '' });
    const login = await rotated(client, 'lab/shop');
    await lab.printed(/lab\/shop [0-9a-f]{8} {2}rotation succeeded/);
    expect(lab.stdout).toMatch(/createSecret +\d+ m?s {2}made a new password, stored it as AWSPENDING/);
    expect(lab.stdout).toMatch(/setSecret +\d+ m?s {2}logged in with AWSCURRENT, set the new password/);

    // The operator's command asks other services too, all of them the lab's.
    await using doctor = await ProjectCommand.start('cli/main.ts', ['doctor', 'lab/billing'], environment);
    expect(await doctor.exitCode(), doctor.stdout + doctor.stderr).toBe(0);
    expect(doctor.stdout).toContain('Nothing is broken');

    // A password that nobody knows any more: the function says what to do, in the lab's words too.
    await query(await superuser(client), `ALTER ROLE ${login.username} PASSWORD 'lost'`);
    await client.send(new RotateSecretCommand({ SecretId: 'lab/shop' }));
    await lab.printed(
      /createSecret +\d+ m?s {2}NO_WORKING_PASSWORD\n.*A password of lab_shop.*\n.*As an administrator/,
    );
    client.destroy();

    const exitCode = await lab.interrupt();
    expect({ exitCode, leftovers: await lab.leftovers() }).toEqual({ exitCode: 130, leftovers: [] });
    expect(lab.stderr).toBe('');
    expect(passwordsIn(lab.stdout.slice(guide.length))).toEqual([]);
    expect(lab.stdout).not.toContain(login.password);
  });

  it('leaves nothing behind when it is killed, by the pid that its line tells', async () => {
    await using lab = await ProjectCommand.start(LAB, ['--json']);
    const { pid } = await ready(lab);
    expect(pid).toBe(lab.child.pid);
    process.kill(pid, 'SIGKILL');
    await lab.ended();
    // Disposal waits for the temporary folder and the process group to be empty.
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)('ends when the npm that started it gets %s', async (signal) => {
    await using lab = await ProjectCommand.startByNpm('lab', ['--json']);
    const { pid } = await ready(lab);
    expect(pid).not.toBe(lab.child.pid);
    lab.child.kill(signal);
    await waitFor('the lab to end', () => !isRunning(pid) || undefined);
  });

  it('prints what bash and zsh take, and needs no tool that README does not name', async () => {
    await using lab = await ProjectCommand.start(LAB);
    const guide = await lab.printed('Ctrl-C ends the lab');
    const pasted = guide.split('In another terminal')[1] ?? '';
    const comments = pasted.split('\n').filter((line) => line.trim().startsWith('#'));
    expect(comments.length).toBeGreaterThan(1);
    expect(comments.filter((line) => /['"`]/.test(line))).toEqual([]);
    expect(pasted).not.toContain('jq');

    // As pasted, with a secret in hand.
    const [, field = ''] = /^ *(field\(\) .*)$/m.exec(pasted) ?? [];
    const script = `${field}\nsecret='{"username":"me","password":"a \\\\ $b"}'\nfield username; field password`;
    for (const shell of ['bash', 'sh']) {
      const { stdout } = await promisify(execFile)(shell, ['-c', script], { env: { PATH: process.env.PATH } });
      expect(stdout).toBe('me\na \\ $b\n');
    }
    expect(await lab.interrupt()).toBe(130);
  });

  it('--time-scale lets a schedule be watched', async () => {
    await using lab = await ProjectCommand.start(LAB, ['--time-scale', '7200']);
    await lab.printed(/lab\/billing [0-9a-f]{8} {2}rotation succeeded/);
    expect(await lab.interrupt()).toBe(130);
  });

  it('--help lists every option', async () => {
    await using lab = await ProjectCommand.start(LAB, ['--help']);
    expect(await lab.exitCode()).toBe(0);
    for (const option of ['--port', '--postgres', '--no-seed', '--time-scale', '--json'])
      expect(lab.stdout).toContain(option);
  });

  it('says in a sentence that its port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await using lab = await ProjectCommand.start(LAB, ['--port', String(port)]);
    expect(await lab.exitCode()).toBe(1);
    expect(lab.stderr).toBe(`The lab needs port ${port}, which another process has: choose one with --port.\n`);
    expect(await lab.leftovers()).toEqual([]);
    other.close();
  });

  it('says in a sentence that nothing answers at the URL, without the password', async () => {
    await using lab = await ProjectCommand.start(LAB, [
      '--no-seed',
      '--postgres',
      'postgres://me:hush-hush@localhost:1',
    ]);
    expect(await lab.exitCode()).toBe(1);
    expect(lab.stderr).toMatch(
      /^The PostgreSQL server at localhost:1 must let the superuser log in, .*ECONNREFUSED.*\n$/,
    );
    expect(lab.stderr).not.toContain('hush');
  });

  it.each([
    ['an unknown option', ['--sedd'], "Unknown option '--sedd'."],
    ['an argument', ['twice'], 'No more than 0 arguments were needed, found 1.'],
    ['a port that is none', ['--port', '70000'], '--port needs a whole number from 0 to 65535, and got "70000".'],
    ['a time scale of 0', ['--time-scale', '0'], '--time-scale needs a number from 0.001 to 1000000, and got "0".'],
    [
      'a URL of something else, which it does not repeat',
      ['--postgres', 'postgre://admin:hush-hush@db'],
      '--postgres needs embedded, container or a URL postgres://superuser@host:port/database.',
    ],
  ])('refuses %s with exit code 2', async (_, args, sentence) => {
    await using lab = await ProjectCommand.start(LAB, args);
    expect(await lab.exitCode()).toBe(2);
    expect(lab.stderr).toBe(`${sentence}\n\`npm run lab -- --help\` lists the options.\n`);
    expect(lab.stdout).toBe('');
  });
});

describe("on somebody else's server", () => {
  it('makes its roles, and drops them when it ends', async () => {
    await using server = await startPostgres({ source: 'embedded' });
    await using lab = await ProjectCommand.start(LAB, ['--json', '--postgres', urlOf(server)], passwordOf(server));
    const { endpoint, database } = await ready(lab);
    expect(database).toMatchObject({ kind: 'url', port: server.port });
    expect(lab.stderr).toBe(
      `The lab makes roles lab_… with a table each on 127.0.0.1:${server.port}, and drops them at its end; --no-seed makes none.\n`,
    );
    const client = clientOf({ endpoint });
    await rotated(client, 'lab/billing');
    client.destroy();
    expect(await labRoles(server)).toEqual(['lab_billing', 'lab_billing_clone', 'lab_shop']);

    expect(await lab.terminate()).toBe(143);
    expect(await labRoles(server)).toEqual([]);
    expect(await server.query(`SELECT 1 FROM pg_tables WHERE tablename LIKE 'lab%'`)).toEqual([]);
  });

  it('never takes over a role that is there, nor drops it', async () => {
    await using server = await startPostgres({ source: 'embedded' });
    await server.query('CREATE ROLE lab_billing_clone');
    await using lab = await ProjectCommand.start(LAB, ['--json', '--postgres', urlOf(server)], passwordOf(server));
    expect(await lab.exitCode()).toBe(1);
    expect(lab.stderr).toContain(
      'the server already has lab_billing_clone: DROP OWNED BY lab_billing_clone; DROP ROLE lab_billing_clone; or use --no-seed.',
    );
    expect(await labRoles(server)).toEqual(['lab_billing_clone']);

    await using bare = await ProjectCommand.start(
      LAB,
      ['--json', '--no-seed', '--postgres', urlOf(server)],
      passwordOf(server),
    );
    const { endpoint, secrets } = await ready(bare);
    expect(secrets).toEqual([]);
    expect(bare.stderr).toBe('');
    const client = clientOf({ endpoint });
    expect((await client.send(new ListSecretsCommand({}))).SecretList?.map(({ Name }) => Name)).toEqual([
      'lab/superuser',
    ]);
    client.destroy();
    expect(await bare.terminate()).toBe(143);
    expect(await labRoles(server)).toEqual(['lab_billing_clone']);
  });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const urlOf = ({ host, port, superuser: { username } }: PostgresServer) => `postgres://${username}@${host}:${port}`;

const passwordOf = (server: PostgresServer) => ({ PGPASSWORD: server.superuser.password });

async function superuser(client: SecretsManagerClient) {
  return (await readSecret(client, 'lab/superuser')).login;
}

async function labRoles(server: PostgresServer): Promise<string[]> {
  const rows = await server.query<{ name: string }>(
    `SELECT rolname AS name FROM pg_roles WHERE rolname LIKE 'lab\\_%' ORDER BY name`,
  );
  return rows.map(({ name }) => name);
}
