import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createAppRole } from '../../scripts/lab/database/app-role.ts';
import { startPostgres } from '../../scripts/lab/database/server.ts';
import { removeApplications, twinOf } from '../../scripts/lab/seed.ts';
import { quoted } from './arrangement.ts';
import { deploy } from './attached.ts';
import type { RotationCommand } from './command.ts';
import type { RoleScope } from './role-scope.ts';
import { freshName } from './secrets-lab-client.ts';
import type { TestAccount } from './test-account.ts';
import type { TestSecret } from './test-secret.ts';
import { createLogin, twins } from './twins.ts';

const run = promisify(execFile);
const ROTATION = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

export interface Stage {
  readonly account: TestAccount;
  readonly command: RotationCommand;
  readonly scope: RoleScope;
  readonly database: string;
  /** Within the scope: begins the names of the roles. */
  readonly named: string;
}

/** All that this project does in somebody's database. */
export interface Company {
  /** The roles that log in, superusers among them. */
  readonly logins: readonly string[];
  /** Does all of it, once. @returns what did not come to its end, in words. */
  play(): Promise<string[]>;
}

/** An act is named by what an operator calls it. */
type Act = readonly [name: string, play: () => Promise<void>];

/** Makes the roles and secrets. */
export async function companyOn(stage: Stage): Promise<Company> {
  const { server } = stage.scope;
  const acts = [
    await singleUser(stage),
    await administrator(stage),
    await alternatingUsers(stage),
    await clone(stage),
    await commands(stage),
    await labOnUrl(stage),
  ];
  const prefix = stage.scope.name(`${stage.named}_`);
  const logins = await server.query<{ name: string }>(
    'SELECT rolname::text AS name FROM pg_roles WHERE starts_with(rolname, $1)',
    [prefix],
  );
  const play = async () => {
    const ended = await Promise.all(acts.map(([name, act]) => act().then(() => [], failure(name))));
    return ended.flat();
  };
  return { logins: logins.map(({ name }) => name), play };
}

const failure = (name: string) => (error: unknown) => [`${name}: ${error instanceof Error ? error.message : error}`];

async function rotate(secret: TestSecret): Promise<void> {
  const { outcome, steps } = await secret.rotate();
  const last = steps.at(-1);
  if (outcome !== 'succeeded')
    throw new Error(`${last?.step} ended as ${last?.outcome}, ${last?.error_code}: ${last?.error_message}`);
}

/** A rotation, and a recovery from one that was given up after it had reached the database. */
async function singleUser({ account, scope, database, named }: Stage): Promise<Act> {
  const role = await scope.createAppRole({ name: scope.name(`${named}_single`), database });
  const secret = await account.secretFor(scope.server, role, { strategy: 'single-user' });
  return [
    'single user, and its recovery',
    async () => {
      await rotate(secret);
      const abandoned = await secret.begin();
      await secret.stepsUntil('setSecret', abandoned);
      await secret.unlabel('AWSPENDING', abandoned);
      await rotate(secret);
    },
  ];
}

/** A superuser's own password. */
async function administrator({ account, scope, database, named }: Stage): Promise<Act> {
  const name = scope.name(`${named}_boss`);
  const password = newPassword();
  await createLogin(scope, name, password, 'SUPERUSER');
  const secret = await account.secretFor(scope.server, { name, password, database }, { strategy: 'single-user' });
  return ["an administrator's single user", () => rotate(secret)];
}

/** The turn that makes the twin, and a turn of each login after it; then what the commands do with such a secret. */
async function alternatingUsers({ account, command, scope, database, named }: Stage): Promise<Act> {
  const { secret } = await twins(account, scope, {
    name: scope.name(`${named}_app`),
    adminName: `${named}_admin`,
    database,
    superuserMembers: { dbname: database },
  });
  return [
    'alternating users',
    async () => {
      for (let turn = 1; turn <= 3; turn++) await rotate(secret);
      await succeed(command, ['doctor', secret.arn]);
    },
  ];
}

/** A clone as AWS's function makes it, in a secret that AWS's function has rotated: adopted, and its table handed over. */
async function clone({ account, scope, database, named }: Stage): Promise<Act> {
  const { server } = scope;
  const app = await twins(account, scope, {
    name: scope.name(`${named}_old`),
    adminName: `${named}_adopter`,
    database,
    superuserMembers: { dbname: database },
  });
  const password = newPassword();
  await createLogin(scope, app.twin, password);
  const table = quoted(scope.name(`${named}_by_clone`));
  await server.query(
    `GRANT ${app.sql.base} TO ${app.sql.twin};
     CREATE TABLE public.${table} (); ALTER TABLE public.${table} OWNER TO ${app.sql.twin}`,
    undefined,
    { database },
  );
  await app.secret.put({ username: app.twin, password });
  await app.secret.put({ username: app.base.name, password: app.base.password });
  return [
    'adoption of a clone',
    async () => {
      await rotate(app.secret);
      const { stdout } = await run(
        process.execPath,
        [ROTATION, 'adopt-clone', '--base', app.base.name, '--clone', app.twin, '--apply'],
        {
          env: {
            PATH: process.env.PATH,
            PGHOST: server.host,
            PGPORT: `${server.port}`,
            PGSSLMODE: 'disable',
            PGDATABASE: database,
            PGUSER: app.admin.name,
            PGPASSWORD: app.admin.password,
          },
        },
      );
      if (!/^-- done$/m.test(stdout)) throw new Error(`It should hand the table over, and said: ${stdout}`);
      await rotate(app.secret);
    },
  ];
}

/** From a login that exists to a secret that is rotated and examined. */
async function commands({ account, command, scope, database, named }: Stage): Promise<Act> {
  const { server } = scope;
  const role = await scope.createAppRole({ name: scope.name(`${named}_new`), database });
  const secret = freshName(scope.name(named));
  const functionArn = deploy(account, 'single-user', { named: `-${secret}` });
  const where = ['--host', server.host, '--port', `${server.port}`, '--dbname', database, '--ssl', 'false'];
  return [
    'the commands',
    async () => {
      const login = [...where, '--username', role.name, '--password-stdin'];
      await succeed(command, ['create', secret, ...login], role.password);
      await succeed(command, ['attach', secret, '--function', functionArn, '--yes']);
      await succeed(command, ['doctor', secret]);
      await succeed(command, ['now', secret]);
    },
  ];
}

/** What `npm run lab -- --postgres URL` does there: it makes an application's role and table, and removes them. */
async function labOnUrl({ scope, database, named }: Stage): Promise<Act> {
  const { host, port } = scope.server;
  const superuser = scope.name(`${named}_lab`);
  const password = newPassword();
  await createLogin(scope, superuser, password, 'SUPERUSER');
  const role = scope.name(`${named}_shop`);
  const table = scope.name(`${named}_orders`);
  scope.adopt(role, twinOf(role));
  return [
    'the lab',
    async () => {
      await using server = await startPostgres({
        source: `postgres://${superuser}:${password}@${host}:${port}/${database}`,
      });
      await createAppRole(server, { name: role, table, database });
      await removeApplications(server, [{ role, table, secretName: '', strategy: 'alternating-users' }]);
    },
  ];
}

async function succeed(command: RotationCommand, args: readonly string[], stdin = ''): Promise<void> {
  const { exitCode, stdout, stderr } = await command.run(args, { stdin });
  if (exitCode === 0) return;
  const found = stdout.split('\n').filter((line) => /^(broken|unknown|✗| +what to do)/.test(line));
  throw new Error(`rotation ${args[0]} ended with ${exitCode}: ${[...found, stderr.trim()].join(' ')}`);
}

const newPassword = () => randomBytes(18).toString('base64url');
