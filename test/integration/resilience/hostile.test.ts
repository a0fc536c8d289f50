import { randomUUID } from 'node:crypto';
import dns from 'node:dns';
import { Socket } from 'node:net';
import type { Context } from 'aws-lambda';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { PostgresServer } from '../../../scripts/lab/database/server.ts';
import { postgresTwins } from '../../../shared/database/twins.ts';
import { RotationError, type RotationErrorCode } from '../../../shared/errors.ts';
import { readConfig } from '../../../shared/lambda/config.ts';
import { rotationHandler } from '../../../shared/lambda/handler.ts';
import { alternatingUsers } from '../../../shared/rotation/alternating-users.ts';
import { STEPS } from '../../../shared/rotation/event.ts';
import { singleUser } from '../../../shared/rotation/single-user.ts';
import { generatePassword } from '../../../shared/secret/password-policy.ts';
import { SilentServer } from '../../support/network.ts';
import { followLog, roleScope, startTestServer } from '../../support/postgres.ts';
import { sqlShape } from '../../support/sql-shape.ts';
import { superusers } from '../../support/superusers.ts';
import { membersFor, TestAccount } from '../../support/test-account.ts';
import type { TestSecret } from '../../support/test-secret.ts';
import { twins } from '../../support/twins.ts';

/** FC_SEED replays a failure: the seed is in its message. */
const seed = process.env.FC_SEED === undefined ? Date.now() % 2 ** 31 : Number(process.env.FC_SEED);
/** More of each in the soak run. */
const RUNS = process.env.SOAK_MINUTES === undefined ? 1 : 20;
// Of one test, in ms: a soak's runs take their time.
vi.setConfig({ testTimeout: 120_000 * RUNS });

let server: PostgresServer;
let account: TestAccount;
let handlers: Readonly<Record<string, ReturnType<typeof rotationHandler>>>;
/** Where this process has connected to, or asked the address of. */
const contacted = new Set<string>();

beforeAll(async () => {
  server = await startTestServer({
    settings: { log_statement: 'all', log_line_prefix: '%m [%p] <%a> ' },
  });
  account = await TestAccount.open();
  vi.stubEnv('SECRETS_MANAGER_ENDPOINT', account.lab.endpoint);
  vi.stubEnv('AWS_ENDPOINT_URL_RDS', account.lab.endpoint);
  vi.stubEnv('AWS_REGION', 'us-east-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  vi.stubEnv('POWERTOOLS_LOG_LEVEL', 'SILENT');
  vi.stubEnv('POWERTOOLS_METRICS_DISABLED', 'true');
  handlers = {
    'single-user': rotationHandler(singleUser),
    'alternating-users': rotationHandler(alternatingUsers, { superusers, twins: postgresTwins }),
  };
  listenToConnections();
});
afterAll(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  await account?.[Symbol.asyncDispose]();
  await server?.close();
});
beforeEach(() => contacted.clear());

/** No other text, such as a name that may be logged, is or holds this one. */
function asSecret(text: string): string {
  return `${text}, a secret`;
}

/** The real functions still run: only what they are asked for is noted. */
function listenToConnections(): void {
  const { connect } = Socket.prototype;
  vi.spyOn(Socket.prototype, 'connect').mockImplementation(function (this: Socket, ...args: unknown[]) {
    const [options, host] = Array.isArray(args[0]) ? args[0] : args;
    const { host: named, port } = typeof options === 'object' ? options : { host, port: options };
    contacted.add(`${named ?? 'localhost'}:${port}`);
    return Reflect.apply(connect, this, args);
  });
  const { lookup } = dns;
  vi.spyOn(dns, 'lookup').mockImplementation(((name: string, ...rest: unknown[]) => {
    contacted.add(name);
    return Reflect.apply(lookup, dns, [name, ...rest]);
  }) as typeof dns.lookup);
}

/** Runs a step in this process. @returns the code of its error; undefined where it succeeded. @throws any other error. */
async function codeOf(strategy: string, event: unknown, timeMs = 8_000): Promise<RotationErrorCode | undefined> {
  const context = { getRemainingTimeInMillis: () => timeMs } as Context;
  try {
    await handlers[strategy]?.(event, context, () => undefined);
    return undefined;
  } catch (error) {
    if (!(error instanceof RotationError) || error.code === 'UNEXPECTED') throw error;
    return error.code;
  }
}

const token = () => randomUUID();
const hostileText = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '',
    '\0',
    'a\0b',
    '\u202Egnp.exe',
    '\ud800',
    '__proto__',
    '{jndi:x}',
    "'; DROP ROLE app; --",
    '%s%n',
    '$1',
    'x'.repeat(65_536),
  ),
);
const check = { seed, verbose: false };

test("an event that is not one of the service's ends as INVALID_EVENT, or as what Secrets Manager says of it", async () => {
  const eventLike = fc.record(
    {
      Step: fc.oneof(fc.constantFrom(...STEPS, 'toString', '__proto__'), fc.anything()),
      SecretId: fc.oneof(hostileText, fc.anything()),
      ClientRequestToken: fc.oneof(fc.uuid(), hostileText, fc.anything()),
      RotationToken: fc.oneof(fc.uuid(), hostileText, fc.anything()),
    },
    { requiredKeys: [] },
  );
  const property = fc.asyncProperty(fc.oneof(fc.anything(), eventLike), async (event) => {
    expect(await codeOf('single-user', event)).toMatch(/^(INVALID_EVENT|SECRET_NOT_FOUND|SECRETS_MANAGER_FAILED)$/);
    expect([...contacted].filter((where) => !isLab(where))).toEqual([]);
  });
  await fc.assert(property, { ...check, numRuns: 300 * RUNS });
});

test('an environment is taken as it is meant, or refused by name before anything else', () => {
  const names = [
    'EXCLUDE_CHARACTERS',
    'PASSWORD_LENGTH',
    'EXCLUDE_NUMBERS',
    'EXCLUDE_PUNCTUATION',
    'EXCLUDE_UPPERCASE',
    'EXCLUDE_LOWERCASE',
    'REQUIRE_EACH_INCLUDED_TYPE',
    'SECRETS_MANAGER_ENDPOINT',
    'PASSWORD_HASHING',
    'TLS_FALLBACK',
    'ALTERNATING_SET_ROLE',
    'DB_CA_FILE',
  ];
  const value = fc.oneof(
    hostileText,
    fc.constantFrom('true', 'false', '32', '8', '4096', 'yes', 'client', 'server', 'allow', 'https://vpce.example'),
    fc.integer().map(String),
  );
  const environment = fc.dictionary(fc.constantFrom(...names), value);
  const property = fc.property(environment, (variables) => {
    let config: ReturnType<typeof readConfig>;
    try {
      config = readConfig(variables);
    } catch (error) {
      expect(error).toMatchObject({ code: 'INVALID_ENVIRONMENT', facts: { key: expect.stringMatching(/^[A-Z_]+$/) } });
      return;
    }
    const password = generatePassword(config.passwordPolicy).reveal();
    expect(password).toHaveLength(config.passwordPolicy.length);
    expect(password).toMatch(/^[\x21-\x7e]+$/);
  });
  fc.assert(property, { ...check, numRuns: 2_000 * RUNS });
});

describe.each(['single-user', 'alternating-users'] as const)('%s', (strategy) => {
  /** All steps of a rotation whose current and pending versions are these texts. */
  async function runAll(current: string, pending: string) {
    const secret = await account.store({ strategy: 'single-user' }, current);
    const version = await secret.begin();
    await secret.putText(pending, ['AWSPENDING'], version);
    const codes = [];
    // Little time: nobody listens at most ports, and that is waited out.
    for (const Step of STEPS)
      codes.push(await codeOf(strategy, { Step, SecretId: secret.arn, ClientRequestToken: version }, 5_000));
    return codes;
  }

  test('any secret ends as a typed error, and nothing is contacted that it does not name', async () => {
    await using elsewhere = await SilentServer.start();
    let reached = 0;
    const member = {
      engine: fc.oneof({ weight: 30, arbitrary: fc.constant('postgres') }, hostileText),
      host: fc.oneof(
        { weight: 30, arbitrary: fc.constant('127.0.0.1') },
        hostileText,
        fc.constantFrom('127.0.0.1,127.0.0.2', 'hostaddr=127.0.0.2', '/tmp', '@127.0.0.1', 'a b', '[::1]', '0x7f.1/'),
      ),
      port: fc.oneof(
        { weight: 30, arbitrary: fc.constantFrom(server.port, server.port, 1) },
        fc.constantFrom('5432;', 2 ** 53, -1, 1e100, null, true),
      ),
      username: fc.oneof(
        { weight: 2, arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }) },
        hostileText,
      ),
      password: fc.oneof(
        { weight: 8, arbitrary: fc.string({ unit: 'grapheme', minLength: 1 }).map(asSecret) },
        hostileText.map(asSecret),
        fc.integer(),
        fc.constant(null),
      ),
      dbname: fc.oneof(
        hostileText,
        fc.constant(`hostaddr=127.0.0.1 port=${elsewhere.port} dbname=postgres`),
        fc.constant(`postgres://127.0.0.1:${elsewhere.port}/x`),
      ),
      ssl: fc.oneof(
        { weight: 30, arbitrary: fc.constant<unknown>(false) },
        fc.constantFrom<unknown>('requires', 1, null, {}),
      ),
      masterarn: hostileText,
      sslmode: fc.constant('disable'),
      ['__proto__']: fc.object(),
      connectionString: fc.constant(`postgres://127.0.0.1:${elsewhere.port}/x`),
    };
    const secretText = fc.oneof(
      {
        weight: 8,
        arbitrary: fc
          .record(member, { requiredKeys: ['engine', 'host', 'port', 'ssl', 'username', 'password'] })
          .map((members) => JSON.stringify(members)),
      },
      { weight: 2, arbitrary: fc.record(member, { requiredKeys: [] }).map((members) => JSON.stringify(members)) },
      { weight: 1, arbitrary: fc.json() },
      { weight: 1, arbitrary: hostileText.map(asSecret) },
    );
    const storable = secretText.filter(
      (text) => text !== '' && Buffer.byteLength(text) <= 65_536 && text.isWellFormed(),
    );
    const property = fc.asyncProperty(
      storable,
      fc.option(storable, { nil: undefined }),
      async (current, pending = current) => {
        contacted.clear();
        await runAll(current, pending);
        const hosts = [current, pending].flatMap(hostIn);
        const foreign = [...contacted].filter(
          (where) => !isLab(where) && !hosts.some((host) => where === host || where.startsWith(`${host}:`)),
        );
        expect(foreign).toEqual([]);
        if (contacted.has(`127.0.0.1:${server.port}`)) reached++;
        expect(elsewhere.connections).toBe(0);
      },
    );
    await fc.assert(property, { ...check, numRuns: 60 * RUNS });
    expect(reached).toBeGreaterThan(0); // or nothing was listened to
  });

  const login = { name: 'nobody', password: 'a password of nobody', database: 'postgres' };
  test.each<[string, (members: object) => string]>([
    [
      'deep JSON',
      (members) =>
        JSON.stringify({ ...members, deep: 0 }).replace(
          '"deep":0',
          `"deep":${'['.repeat(20_000)}${']'.repeat(20_000)}`,
        ),
    ],
    ['a __proto__ key with a login', () => `{"__proto__":${JSON.stringify(membersFor(server, login))}}`],
    ['a constructor key', (members) => JSON.stringify({ ...members, constructor: { prototype: { ssl: false } } })],
    [
      'numbers beyond 2^53',
      (members) => JSON.stringify({ ...members, id: 0 }).replace('"id":0', '"id":12345678901234567890123'),
    ],
    ['64 KB', (members) => JSON.stringify({ ...members, filler: 'x'.repeat(64_000) })],
    ['duplicate keys', (members) => JSON.stringify(members).replace('{', '{"username":"first","password":"first",')],
  ])('%s', async (_, write) => {
    const codes = await runAll(write(membersFor(server, login)), write(membersFor(server, login)));
    expect(codes.filter((code) => code !== undefined)).not.toEqual([]);
  });
});

/** Names that PostgreSQL takes, of at most 40 bytes, for the prefix and the twin's suffix to fit. */
const HOSTILE_NAMES = [
  '50%',
  '100%%x',
  "it's",
  'a"b',
  '"',
  'back\\slash',
  "\\'; DROP ROLE postgres; --",
  '$1',
  '$$',
  '{role}',
  'new\nline',
  'tab\t',
  '\u202Egnp',
  'e\u0301',
  '火'.repeat(13),
  'null',
  'SESSION_USER',
  '-- ',
  '/* ',
  '%L',
  ':x',
  'a,b',
];

describe('SQL', () => {
  /** Statements that the functions have had logged since, without their names. */
  async function shapes(logged: () => Promise<string>, names: ReadonlyMap<string, string>): Promise<string[]> {
    const entries = (await logged()).split(/^(?=\d{4}-\d\d-\d\d \S+ \S+ \[\d+\] <)/m);
    return entries.flatMap((entry) => {
      const [, statement] =
        /<postgres-secret-rotation> LOG: {2}(?:statement|execute <unnamed>): ([\s\S]*)\n$/.exec(entry) ?? [];
      return statement === undefined ? [] : [sqlShape(statement.replaceAll('\n\t', '\n'), names)];
    });
  }

  async function rotateTwice(strategy: string, suffix: string): Promise<string[]> {
    await using scope = roleScope(server);
    const name = scope.name(suffix);
    const database = await scope.createDatabase(`${suffix}d`);
    scope.adopt(name, `${name}_clone`);
    const app = await twins(account, scope, { name, database, table: scope.name('orders') });
    const secret = strategy === 'single-user' ? await account.secretFor(server, app.base, { strategy }) : app.secret;
    const logged = await followLog(server);
    for (let round = 1; round <= 2; round++) await rotate(strategy, secret);
    const names = new Map([
      [name, 'role'],
      [`${name}_clone`, 'twin'],
      [app.admin.name, 'administrator'],
      [`role=${name}`, 'role setting'],
      [database, 'database'],
    ]);
    return await shapes(logged, names);
  }

  async function rotate(strategy: string, secret: TestSecret): Promise<void> {
    const version = await secret.begin(token());
    for (const Step of STEPS)
      expect(await codeOf(strategy, { Step, SecretId: secret.arn, ClientRequestToken: version })).toBeUndefined();
  }

  test.each([
    'single-user',
    'alternating-users',
  ])('of %s differs between users by nothing but quoted names', async (strategy) => {
    const expected = await rotateTwice(strategy, 'plain');
    expect(expected.length).toBeGreaterThan(4);
    expect(expected.join('\n')).toContain('ALTER ROLE');
    for (const suffix of HOSTILE_NAMES) expect(await rotateTwice(strategy, suffix), suffix).toEqual(expected);
    const name = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((text) => Buffer.byteLength(text) <= 40 && !text.includes('\0') && text.isWellFormed());
    const property = fc.asyncProperty(name, async (suffix) => {
      expect(await rotateTwice(strategy, suffix)).toEqual(expected);
    });
    await fc.assert(property, { ...check, numRuns: 10 * RUNS });
  });
});

function isLab(where: string): boolean {
  return where === new URL(account.lab.endpoint).host || where === '127.0.0.1' || where === `127.0.0.1:${server.port}`;
}

/** The host that a SecretString names, if it does. */
function hostIn(text: string): string[] {
  try {
    const host: unknown = JSON.parse(text)?.host;
    return typeof host === 'string' ? [host] : [];
  } catch {
    return [];
  }
}
