import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresServer } from '../../../scripts/lab/database/server.ts';
import { quoted } from '../../support/arrangement.ts';
import { RotationCommand } from '../../support/command.ts';
import { companyOn } from '../../support/hostile-actors.ts';
import { callAll, type HostileSchema, makeHostile, ranIn, uncovered } from '../../support/hostile-schema.ts';
import { followLog, postgresVersions, roleScope, sharedServer } from '../../support/postgres.ts';
import type { RoleScope } from '../../support/role-scope.ts';
import { namesIn, statementsOf } from '../../support/statement-names.ts';
import { TestAccount } from '../../support/test-account.ts';
import { createLogin, outermostVersions } from '../../support/twins.ts';

const FIRST = 'search_path = evil, pg_catalog, public';

/** Where the hostile schema is, and what makes names mean what is in it. Who owns the database may do all but the roles' settings. */
const PLACEMENTS: readonly {
  readonly placement: string;
  readonly schema: 'public' | 'evil';
  readonly statements: (database: string, logins: readonly string[]) => string[];
}[] = [
  { placement: 'in public', schema: 'public', statements: () => [] },
  {
    placement: 'put first by ALTER DATABASE',
    schema: 'evil',
    statements: (database) => [`ALTER DATABASE ${database} SET ${FIRST}`],
  },
  {
    placement: 'put first by ALTER ROLE',
    schema: 'evil',
    statements: (_, logins) => logins.map((login) => `ALTER ROLE ${login} SET ${FIRST}`),
  },
  {
    placement: 'put first by ALTER ROLE IN DATABASE',
    schema: 'evil',
    statements: (database, logins) => logins.map((login) => `ALTER ROLE ${login} IN DATABASE ${database} SET ${FIRST}`),
  },
];

let account: TestAccount;
let command: RotationCommand;
beforeAll(async () => {
  account = await TestAccount.open();
  command = new RotationCommand(account.lab);
});
afterAll(async () => {
  await command[Symbol.asyncDispose]();
  await account[Symbol.asyncDispose]();
});

/** What may be made to stand before the catalog is the same in those between, which `npm run test:soak` plays too. */
const VERSIONS = process.env.SOAK_MINUTES === undefined ? outermostVersions() : postgresVersions();

describe.each(VERSIONS)('PostgreSQL %i', (version) => {
  let server: PostgresServer;
  let scope: RoleScope;
  let mallory: string;
  /** What any statement names, where nobody is hostile. */
  let names: ReturnType<typeof namesIn>;
  let hostile: Readonly<Record<'public' | 'evil', HostileSchema>>;

  const isSuperuser = async (name: string) => {
    const [row] = await server.query<{ rolsuper: boolean }>('SELECT rolsuper FROM pg_roles WHERE rolname = $1', [name]);
    return row?.rolsuper;
  };
  const ours = (logged: string) =>
    statementsOf(logged, ({ user, application }) => user.startsWith(scope.prefix) && application !== '');

  beforeAll(async () => {
    server = await sharedServer(version);
    scope = roleScope(server);
    mallory = scope.name('mallory');
    await createLogin(scope, mallory, 'no password that anybody uses');
    await createLogin(scope, scope.name('caller'), 'nor this one');

    const database = await scope.createDatabase('public');
    const clean = await companyOn({ account, command, scope, database, named: 'clean' });
    const logged = await followLog(server);
    expect(await clean.play()).toEqual([]);
    names = namesIn(ours(await logged()));

    const evil = await scope.createDatabase('evil');
    // Up to 14 everybody may create in public, from 15 on the owner of the database.
    for (const each of version < 15 ? [evil] : [database, evil])
      await server.query(`ALTER DATABASE ${quoted(each)} OWNER TO ${quoted(mallory)}`);
    const common = { maker: mallory, names };
    hostile = {
      public: await makeHostile(server, { ...common, schema: 'public', database, mark: scope.name('public') }),
      evil: await makeHostile(server, { ...common, schema: 'evil', database: evil, mark: scope.name('evil') }),
    };
  });
  afterAll(() => scope?.[Symbol.asyncDispose]());

  test.each([
    'public',
    'evil',
  ] as const)('each overload in %s runs where the path is not pinned, and none where it is', async (schema) => {
    const { overloads } = hostile[schema];
    const kinds = schema === 'public' ? ['operator', 'function'] : ['operator', 'function', 'type', 'relation'];
    expect([...new Set(overloads.map(({ kind }) => kind))]).toEqual(expect.arrayContaining(kinds));
    const path = schema === 'public' ? 'public' : 'evil, pg_catalog, public';
    const logged = await followLog(server);
    await callAll(hostile[schema], scope.name('caller'), path, 'SET LOCAL search_path = pg_catalog, pg_temp');
    expect(ranIn(await logged(), hostile[schema])).toEqual([]);
    await callAll(hostile[schema], scope.name('caller'), path);
    const ran = ranIn(await logged(), hostile[schema]).map((note) => note.replace(/, as .*/, ''));
    expect(overloads.map(({ what }) => what).filter((what) => !ran.includes(what))).toEqual([]);
  });

  test.each(PLACEMENTS)('none runs $placement', async ({ placement, schema, statements }) => {
    const there = hostile[schema];
    const { database } = there;
    const named = `at${PLACEMENTS.findIndex((one) => one.placement === placement)}`;
    const company = await companyOn({ account, command, scope, database, named });
    const logged = await followLog(server);
    await server.query(statements(quoted(database), company.logins.map(quoted)).join(';'));
    try {
      const unfinished = await company.play();

      const log = await logged();
      const ran = ranIn(log, there).map((note) => note.replaceAll(scope.name(`${named}_`), ''));
      const missed = await uncovered(there, namesIn(ours(log)));
      expect({ ran, malloryIsSuperuser: await isSuperuser(mallory), unfinished, missed }).toEqual({
        ran: [],
        malloryIsSuperuser: false,
        unfinished: [],
        missed: [],
      });
    } finally {
      await server.query(
        `ALTER DATABASE ${quoted(database)} RESET search_path; ALTER ROLE ${quoted(mallory)} NOSUPERUSER`,
      );
    }
  });
});
