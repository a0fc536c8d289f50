/** What `rotation` writes for others: code that logs in, and another value of a secret. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SAMPLES } from '../../../cli/code/samples.ts';
import { CertificateAuthority } from '../../../scripts/lab/database/certificate-authority.ts';
import { arrange } from '../../support/arrangement.ts';
import { installBeside, installClient } from '../../support/installed-client.ts';
import { operator } from '../../support/operator.ts';
import { startTestServer } from '../../support/postgres.ts';
import { psycopgIsHere } from '../../support/psycopg.ts';
import { run, toolIsHere } from '../../support/tools.ts';

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
    const child = await ended(process.execPath, [join(folder, 'login.mjs')], awsEnvironment());
    expect(child).toEqual({ status: 0, output: `${here.role.name}\n` });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

const ROTATION = fileURLToPath(new URL('../../../cli/main.ts', import.meta.url));

const awsEnvironment = () => ({
  PATH: process.env.PATH,
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  AWS_ENDPOINT_URL: account.lab.endpoint,
});

/** The lab answers from this process, which must not wait for it. */
async function ended(program: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  return await new Promise((resolve) => {
    execFile(program, args, { env }, (error, stdout, stderr) =>
      resolve({ status: error?.code ?? 0, output: stdout + stderr }),
    );
  });
}

const hasPython = toolIsHere('Python 3', ['python3', '--version'], 'REQUIRE_PYTHON');
const hasPsycopg = psycopgIsHere();
const hasJava = toolIsHere('Java', ['javac', '-version'], 'REQUIRE_JAVA');
const hasGo = toolIsHere('Go 1.22', ['go', 'doc', 'cmp.Or'], 'REQUIRE_GO');
const hasGofmt = toolIsHere('gofmt', ['sh', '-c', 'echo package main | gofmt'], 'REQUIRE_GO');

async function codeOf(arn: string, lang: string): Promise<string> {
  const { exitCode, stdout } = await command.run(['code', arn, '--lang', lang]);
  expect(exitCode).toBe(0);
  return stdout;
}

it.skipIf(!hasPython)(
  'writes code for Python that Python can read, and reads no value for any language',
  async () => {
    await using here = await arrange(account, server, single);
    const parse = 'import ast, sys; ast.parse(sys.stdin.read())';
    for (const lang of ['node', 'python', 'java', 'go', 'env']) {
      const code = await codeOf(here.secret.arn, lang);
      expect(code).toContain(here.secret.arn.split(':')[6]?.slice(0, -7));
      if (lang === 'python') expect(spawnSync('python3', ['-c', parse], { input: code }).status).toBe(0);
    }
    const own = account.lab.requests.all().filter(({ userAgent }) => !userAgent?.includes('exec-env/AWS_Lambda'));
    const read = own.filter(
      ({ operation, secretId }) => operation === 'GetSecretValue' && secretId === here.secret.arn,
    );
    expect(read).toEqual([]);
  },
  120_000,
);

/** The code of a sample's login, with libraries that tell what they are asked for. */
const ASKED = `
import json, sys, types

class Connection:
    @classmethod
    def connect(cls, conninfo, **kwargs):
        return kwargs

service = types.SimpleNamespace(get_secret_value=lambda SecretId: {"SecretString": sys.argv[1]})
sys.modules["boto3"] = types.SimpleNamespace(client=lambda *names, **kwargs: service)
sys.modules["psycopg"] = types.SimpleNamespace(Connection=Connection)
sys.modules["psycopg_pool"] = types.SimpleNamespace(ConnectionPool=None)
sample = {"__name__": "sample"}
exec(sys.stdin.read(), sample)
asked = sample["SecretConnection"].connect()
print(asked["host"], asked["port"], asked["dbname"], asked["user"], asked["sslmode"])
`;

it.skipIf(!hasPython).each([
  ['PostgreSQL', { engine: 'postgres' }, '5432 postgres'],
  ['Amazon Redshift', { engine: 'redshift' }, '5439 dev'],
  ['a secret that names them', { engine: 'redshift', port: 5440, dbname: 'shop' }, '5440 shop'],
  ['a server without TLS', { engine: 'postgres', ssl: false }, '5432 postgres', 'disable'],
  ['a server without TLS, in words', { engine: 'postgres', ssl: 'False' }, '5432 postgres', 'disable'],
])('writes code for Python that has port, database and TLS of %s', (_, members, expected, tls = 'verify-full') => {
  const code = SAMPLES.python({ name: 'prod/shop', region: 'eu-central-1' });
  const secret = JSON.stringify({ host: 'db', username: 'app', password: 'none', ...members });
  expect(run('python3', ['-c', ASKED, secret], code)).toBe(`db ${expected} app ${tls}\n`);
});

it.skipIf(!hasPsycopg)(
  'writes code for Python that logs in over verified TLS, after a rotation too',
  async () => {
    const authority = await CertificateAuthority.create();
    const folder = await mkdtemp(join(tmpdir(), 'code-'));
    const caFile = join(folder, 'authority.pem');
    await writeFile(caFile, authority.certificate);
    await using own = await startTestServer({ tls: (host) => authority.issue([host]) });
    try {
      const choice = { ...single, environment: { DB_CA_FILE: caFile } };
      await using here = await arrange(account, own, choice, { members: { ssl: true } });
      // No operating system has this authority, nor Amazon's: the comment there says so.
      const code = (await codeOf(here.secret.arn, 'python')).replace('"system"', JSON.stringify(caFile));
      await writeFile(join(folder, 'login.py'), code);
      for (let rotations = 0; rotations < 2; rotations++) {
        const found = await ended('python3', [join(folder, 'login.py')], awsEnvironment());
        expect(found).toEqual({ status: 0, output: `${here.role.name}\n` });
        await here.secret.rotate();
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  120_000,
);

it('writes a line for the environment that runs a program as the secret says', async () => {
  await using here = await arrange(account, server, single);
  const folder = await mkdtemp(join(tmpdir(), 'code-'));
  try {
    const rotation = `#!/bin/sh\nexec '${process.execPath}' '${ROTATION}' "$@"\n`;
    await writeFile(join(folder, 'rotation'), rotation, { mode: 0o755 });
    const line = (await codeOf(here.secret.arn, 'env')).replace('your-program', 'printenv PGUSER');
    const env = { ...awsEnvironment(), PATH: `${folder}:${process.env.PATH}` };
    expect(await ended('sh', ['-c', line], env)).toEqual({ status: 0, output: `${here.role.name}\n` });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 120_000);

it.skipIf(!hasJava)(
  'writes code for Java that compiles',
  async () => {
    await using here = await arrange(account, server, single);
    const folder = await mkdtemp(join(tmpdir(), 'code-'));
    try {
      await writeFile(join(folder, 'Login.java'), await codeOf(here.secret.arn, 'java'));
      run('javac', ['-Xlint:all', '-Werror', '-d', folder, join(folder, 'Login.java')]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  120_000,
);

it.skipIf(!hasGofmt)('writes code for Go that is as gofmt has it', async () => {
  await using here = await arrange(account, server, single);
  const code = await codeOf(here.secret.arn, 'go');
  expect(run('gofmt', [], code)).toBe(code);
});

/** The libraries of the Go sample, by path: secrets come from the arguments, and a login tells what it was made with. */
const GO_LIBRARIES = {
  'aws/aws-sdk-go-v2/aws': `package aws
func String(text string) *string { return &text }
func ToString(text *string) string { return *text }`,
  'aws/aws-sdk-go-v2/config': `package config
import "context"
type Config struct{}
func WithRegion(string) func() { return nil }
func LoadDefaultConfig(context.Context, ...func()) (Config, error) { return Config{}, nil }`,
  'aws/aws-sdk-go-v2/service/secretsmanager': `package secretsmanager
import ("context"; "os"; "github.com/aws/aws-sdk-go-v2/config")
type Client struct{ read int }
type GetSecretValueInput struct{ SecretId *string }
type GetSecretValueOutput struct{ SecretString *string }
func NewFromConfig(config.Config) *Client { return &Client{} }
func (c *Client) GetSecretValue(context.Context, *GetSecretValueInput) (*GetSecretValueOutput, error) {
	c.read++
	return &GetSecretValueOutput{&os.Args[c.read]}, nil
}`,
  'jackc/pgx/v5': `package pgx
type ConnConfig struct{ Server, Database, User, Password string }`,
  'jackc/pgx/v5/pgxpool': `package pgxpool
import ("context"; "fmt"; "github.com/jackc/pgx/v5")
type Config struct {
	ConnConfig *pgx.ConnConfig
	BeforeConnect func(context.Context, *pgx.ConnConfig) error
}
type Pool struct{ *Config }
func ParseConfig(server string) (*Config, error) { return &Config{ConnConfig: &pgx.ConnConfig{Server: server}}, nil }
func NewWithConfig(_ context.Context, config *Config) (*Pool, error) { return &Pool{config}, nil }
func (*Pool) Close() {}
func (p *Pool) QueryRow(context.Context, string) *Pool { return p }
func (p *Pool) Scan(told *string) error {
	err := p.BeforeConnect(context.Background(), p.ConnConfig)
	*told = fmt.Sprint(*p.ConnConfig)
	return err
}`,
};

describe.skipIf(!hasGo)('writes code for Go that', () => {
  const SECRET = { engine: 'postgres', host: 'db', username: 'app', password: 'first' };
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'code-'));
    const files = Object.entries(GO_LIBRARIES).map(
      ([path, text]) => [`src/github.com/${path}/library.go`, text] as const,
    );
    for (const [path, text] of [
      ...files,
      ['login.go', SAMPLES.go({ name: 'shop', region: 'eu-central-1' })] as const,
    ]) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    const env = { ...process.env, GOPATH: folder, GO111MODULE: 'off', GOFLAGS: '' };
    await promisify(execFile)('go', ['build', '-o', 'login', 'login.go'], { cwd: folder, env });
  }, 120_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** @param later what the secret says at the first login, and did not when the pool was made. */
  const loginAfter = (first: object, later: object) =>
    ended(
      join(folder, 'login'),
      [first, later].map((each) => JSON.stringify({ ...SECRET, ...each })),
      {},
    );

  it.each([
    ['PostgreSQL', {}, '5432', 'postgres', 'verify-full sslrootcert=system'],
    ['Amazon Redshift', { engine: 'redshift' }, '5439', 'dev', 'verify-full sslrootcert=system'],
    ['a server without TLS', { port: '6543', dbname: 'shop', ssl: 'False' }, '6543', 'shop', 'disable'],
  ])('has port, database and TLS of %s, and the password of now', async (_, members, port, database, tls) => {
    expect(await loginAfter(members, { ...members, username: 'app_clone', password: 'second' })).toEqual({
      status: 0,
      output: `{host=db port=${port} sslmode=${tls} ${database} app_clone second}\n`,
    });
  });

  it.each([
    ['host', {}, { host: 'elsewhere' }],
    ['port', { port: 6543 }, {}],
    ['database', {}, { dbname: 'shop' }],
    ['default database', { port: 5432 }, { port: 5432, engine: 'redshift' }],
    ['protection', { ssl: false }, {}],
  ])('sends no password to where another %s was named before', async (_, first, later) => {
    expect(await loginAfter(first, { ...later, password: 'second' })).toEqual({
      status: 1,
      output: expect.stringContaining('the secret names another server or database'),
    });
  });
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

it('names its own options where something is to be corrected', async () => {
  await using here = await arrange(account, server, single);
  const errorOf = async (...options: string[]) =>
    (await command.json(['update', here.secret.arn, ...options, '--yes'])).answer.error;
  expect(await errorOf('--host', 'nowhere.invalid')).toMatchObject({
    code: 'DATABASE_HOST_NOT_FOUND',
    remedy: expect.stringMatching(/^Correct --host\. /),
  });
  expect(await errorOf('--dbname', 'no_such_database')).toMatchObject({ remedy: 'Correct --dbname.' });
  expect(await errorOf('--port', '99999')).toMatchObject({
    code: 'USAGE',
    message: expect.stringMatching(/'--port <port>' argument '99999' is invalid/),
  });
  // Before it asks for a password.
  expect(await errorOf('--host', 'h:5432', '--password')).toMatchObject({
    code: 'USAGE',
    remedy: 'Correct --host; nothing was stored.',
  });
}, 120_000);

it('changes nothing in the middle of a rotation', async () => {
  await using here = await arrange(account, server, single);
  await here.secret.begin();
  const { exitCode, answer } = await command.json(['update', here.secret.arn, '--port', '5433', '--yes']);
  expect({ exitCode, code: answer.error.code }).toEqual({ exitCode: 4, code: 'ROTATING' });
});
