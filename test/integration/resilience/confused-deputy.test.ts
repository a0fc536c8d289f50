import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PostgresServer, startPostgres } from '../../../scripts/lab/database/server.ts';
import type { StrategyName } from '../../../shared/rotation/strategy.ts';
import { GreedyServer } from '../../support/greedy-server.ts';
import { hostsEnvironment } from '../../support/hosts.ts';
import { TcpProxy } from '../../support/network.ts';
import { countLogins, roleScope, sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';
import type { SecretMembers, StepResult, TestSecret } from '../../support/test-secret.ts';
import { createLogin, rolesNamed, twins } from '../../support/twins.ts';

/**
 * Somebody who may write secrets, but does not know the passwords of the database, tries to have the function use what
 * only the function may: each attack with the code it ends with.
 */

let account: TestAccount;
let server: PostgresServer;
/** The attacker's own server, where every role can be made and every password is known. */
let theirs: PostgresServer;
beforeAll(async () => {
  account = await TestAccount.open();
  server = await sharedServer();
  theirs = await startPostgres({ source: 'embedded' });
});
afterAll(async () => {
  await theirs?.close();
  await account?.[Symbol.asyncDispose]();
});

const newPassword = () => randomBytes(18).toString('base64url');
/** As who can't read a secret would edit it twice. */
const INVENTED = { password: newPassword() };

/** What an attack has to work with. */
interface Target {
  /** The application's secret, of which the attacker may write any version. */
  readonly secret: TestSecret;
  readonly app: string;
  readonly superuser: string;
  readonly superuserSecret: TestSecret;
  /** Another login of the same server. */
  readonly victim: string;
  /** Another database of the same server. */
  readonly database: string;
  /** Asks for passwords in clear. */
  readonly greedy: GreedyServer;
  /** Stores a secret of the attacker's own. @returns its ARN. */
  readonly ownSecret: (members: SecretMembers) => Promise<string>;
}

/** Does the attack and lets the function run into it. */
type Attack = (target: Target) => Promise<StepResult>;

interface Row {
  readonly attack: string;
  readonly by: Attack;
  readonly code: string;
  /** At which the function may log in with what the attacker wrote; nowhere else. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** The value that applications read is replaced, and the rotation runs. */
const editCurrent =
  (members: (target: Target) => SecretMembers): Attack =>
  async (target) => {
    // Twice, so that the credential that the database has is neither current nor previous, but without a label.
    await target.secret.put({ password: newPassword(), ...members(target) });
    await target.secret.put({ password: newPassword(), ...members(target) });
    return await lastStep(target.secret, await target.secret.begin());
  };

/** The value that the rotation is making is written before createSecret is. */
const editPending =
  (members: (target: Target) => SecretMembers): Attack =>
  async (target) => {
    const token = await target.secret.begin();
    await target.secret.put({ password: newPassword(), ...members(target) }, ['AWSPENDING'], token);
    return await lastStep(target.secret, token);
  };

/** A version of the attacker's own gets the label in the middle of a rotation. */
const plantPending: Attack = async ({ secret }) => {
  const token = await secret.begin();
  await secret.stepsUntil('createSecret', token);
  await secret.put({ password: newPassword() }, ['AWSPENDING']);
  return await secret.step('setSecret', token);
};

async function lastStep(secret: TestSecret, token: string): Promise<StepResult> {
  const last = (await secret.stepsUntil('finishSecret', token)).at(-1);
  if (last === undefined) throw new Error('A rotation should have steps.');
  return last;
}

const PENDING: readonly Row[] = [
  {
    attack: 'the pending version is edited to another user',
    by: editPending(({ victim }) => ({ username: victim })),
    code: 'PENDING_MISMATCH',
  },
  {
    attack: "the pending version is edited to the superuser's name",
    by: editPending(({ superuser }) => ({ username: superuser })),
    code: 'PENDING_MISMATCH',
  },
  {
    attack: 'the pending version is edited to another host',
    by: editPending(({ greedy }) => ({ host: 'localhost', port: greedy.port })),
    code: 'PENDING_MISMATCH',
  },
  {
    attack: 'the pending version is edited to another port',
    by: editPending(({ greedy }) => ({ port: greedy.port })),
    code: 'PENDING_MISMATCH',
  },
  {
    attack: 'a version is planted with AWSPENDING by someone else in the middle of a rotation',
    by: plantPending,
    // A version without a label is absent from what the service describes.
    code: 'VERSION_UNKNOWN',
  },
];

const SINGLE_USER: readonly Row[] = [
  {
    attack: 'the secret is edited to another user',
    by: editCurrent(({ victim }) => ({ username: victim })),
    code: 'NO_WORKING_PASSWORD',
  },
  {
    attack: "the secret is edited to the superuser's name",
    by: editCurrent(({ superuser }) => ({ username: superuser })),
    code: 'NO_WORKING_PASSWORD',
  },
  {
    attack: 'the secret is edited to another host, which asks for passwords in clear',
    by: editCurrent(({ greedy }) => ({ host: 'localhost', port: greedy.port })),
    code: 'NO_WORKING_PASSWORD',
  },
  {
    attack: 'the secret is edited to another port, which asks for passwords in clear',
    by: editCurrent(({ greedy }) => ({ port: greedy.port })),
    code: 'NO_WORKING_PASSWORD',
  },
  {
    attack: 'the secret is edited to a database of the attacker, by one invented password in two versions',
    by: editCurrent(({ database }) => ({ ...INVENTED, dbname: database })),
    code: 'NO_WORKING_PASSWORD',
  },
  {
    attack: 'the secret is edited to a URL of the attacker, which applications take user and password to',
    by: editCurrent(() => ({ jdbcUrl: 'jdbc:postgresql://db.attacker.example.com/shop' })),
    code: 'NO_WORKING_PASSWORD',
  },
  ...PENDING,
];

const ALTERNATING_USERS: readonly Row[] = [
  {
    attack: 'the secret is edited to another user',
    by: editCurrent(({ victim }) => ({ username: victim })),
    code: 'PASSWORD_NOT_ACCEPTED',
  },
  {
    attack: "the secret is edited to the superuser's name",
    by: editCurrent(({ superuser }) => ({ username: superuser })),
    code: 'PASSWORD_NOT_ACCEPTED',
  },
  {
    attack: 'the secret is edited to another host, which asks for passwords in clear',
    by: editCurrent(({ greedy }) => ({ host: 'localhost', port: greedy.port })),
    code: 'PASSWORD_NOT_ACCEPTED',
  },
  {
    attack: 'the secret is edited to a server of the attacker, where its login works',
    by: editCurrent(() => onTheirServer()),
    code: 'SUPERUSER_ON_OTHER_SERVER',
  },
  {
    attack: "the secret is edited to a server of the attacker that claims to be the superuser's replica",
    by: editCurrent(() => ({ ...onTheirServer(), host: 'orders-replica.attacker.example.com' })),
    environment: hostsEnvironment({ 'orders-replica.attacker.example.com': '127.0.0.1' }),
    code: 'SUPERUSER_ON_OTHER_SERVER',
  },
  {
    attack: 'the secret is edited to the superuser secret of another database server',
    by: async ({ secret, ownSecret }) => {
      const masterarn = await ownSecret(onTheirServer());
      await secret.put({ masterarn });
      return await lastStep(secret, await secret.begin());
    },
    code: 'SUPERUSER_ON_OTHER_SERVER',
  },
  {
    attack: 'the secret is edited to a superuser secret that is for the application itself',
    by: async ({ secret, app, ownSecret }) => {
      const masterarn = await ownSecret({ username: app, password: await secret.password() });
      await secret.put({ masterarn });
      return await lastStep(secret, await secret.begin());
    },
    code: 'SUPERUSER_IS_APPLICATION_USER',
  },
  {
    attack: 'the secret is edited to another superuser secret, whose password is wrong',
    by: async ({ secret, superuser, ownSecret }) => {
      await secret.put({ masterarn: await ownSecret({ username: superuser, password: newPassword() }) });
      return await lastStep(secret, await secret.begin());
    },
    code: 'PASSWORD_NOT_ACCEPTED',
  },
  ...PENDING,
];

const THEIR_LOGIN = { username: `attacker_${randomUUID().slice(0, 8)}`, password: newPassword() };

function onTheirServer(): SecretMembers {
  return { ...THEIR_LOGIN, host: theirs.host, port: theirs.port };
}

/** What must not change, and who must not have logged in with a password of its own. */
async function evidence(target: Target, logins: Awaited<ReturnType<typeof countLogins>>) {
  const { app, victim, superuser } = target;
  return {
    roles: await rolesNamed(server, [app, `${app}_clone`, victim, superuser]),
    victim: (await logins(victim)).accepted,
    superuser: (await logins(superuser)).accepted,
  };
}

async function resist(strategy: StrategyName, { by, code, environment = {} }: Row): Promise<void> {
  await using scope = roleScope(server);
  await using greedy = await GreedyServer.start();
  const region = { AWS_ENDPOINT_URL_RDS: account.lab.endpoint };
  const app = await twins(account, scope, { environment: { ...region, ...environment } });
  // A single user's server is at the greedy one's address, wherever containers are: only the ports differ.
  await using here = await TcpProxy.start(server);
  const secret = strategy === 'alternating-users' ? app.secret : await account.secretFor(here, app.base, { strategy });
  const victim = scope.name('victim');
  await createLogin(scope, victim, newPassword());
  const original = await secret.password();
  const target: Target = {
    secret,
    victim,
    database: await scope.createDatabase(),
    greedy,
    app: app.base.name,
    superuser: app.admin.name,
    superuserSecret: app.superuserSecret,
    ownSecret: async (members) => {
      const login = { name: app.admin.name, password: newPassword(), database: 'postgres' };
      return (await account.secretFor(server, login, { strategy }, members)).arn;
    },
  };
  const logins = await countLogins(server);
  const before = await evidence(target, logins);

  const failure = await by(target);

  expect(failure).toMatchObject({ outcome: 'failed', error_code: code });
  expect(await evidence(target, logins)).toEqual(before);
  // The attacker's server may be told what the attacker wrote, and nothing else.
  const known = [original, await app.superuserSecret.password()];
  expect(greedy.passwords.filter((password) => known.includes(password))).toEqual([]);
}

test.each(SINGLE_USER.map((row) => [row.attack, row] as const))('single user: %s', async (_, row) => {
  await resist('single-user', row);
});

describe('alternating users', () => {
  beforeAll(async () => {
    const { username, password } = THEIR_LOGIN;
    await theirs.query(`CREATE ROLE "${username}" LOGIN PASSWORD '${password}'`);
  });

  test.each(ALTERNATING_USERS.map((row) => [row.attack, row] as const))('%s', async (_, row) => {
    await resist('alternating-users', row);
  });
});
