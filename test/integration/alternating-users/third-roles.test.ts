import { escapeIdentifier, escapeLiteral } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { roleScope, sharedServer, startTestServer } from '../../support/postgres.ts';
import type { RoleScope } from '../../support/role-scope.ts';
import { TestAccount } from '../../support/test-account.ts';
import { outermostVersions, type Twins, twins } from '../../support/twins.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

interface Case {
  /** Whether the user may act as the third role. */
  readonly member: boolean;
  readonly setRole: boolean;
  /** A setting of the user's own. */
  readonly own?: string;
}

const CASES: readonly Case[] = [true, false].flatMap((member) =>
  [true, false].flatMap((setRole) =>
    [undefined, "work_mem = '7MB'", "role = 'none'"].map((own) => ({
      member,
      setRole,
      ...(own === undefined ? {} : { own }),
    })),
  ),
);

const NAMED: [title: string, each: Case][] = CASES.map((each) => [
  `the user ${each.member ? 'is' : 'is no'} member, ALTERNATING_SET_ROLE=${each.setRole}, of its own: ${each.own ?? 'nothing'}`,
  each,
]);

/** A user whose database is made for it, and a third role. */
async function arrange(scope: RoleScope, { member, setRole, own }: Case) {
  const database = await scope.createDatabase();
  const app = await twins(account, scope, { database, environment: { ALTERNATING_SET_ROLE: `${setRole}` } });
  const third = scope.name('third');
  scope.adopt(third);
  await app.administer(`CREATE ROLE ${escapeIdentifier(third)}`);
  if (member) await app.administer(`GRANT ${escapeIdentifier(third)} TO ${app.sql.base}`);
  if (own !== undefined) await app.administer(`ALTER ROLE ${app.sql.base} SET ${own}`);
  return { app, database, third };
}

/** Whom the two logins act as in a database, as each finds it; AWSCURRENT's first. */
async function actorsIn(app: Twins, database: string): Promise<unknown[]> {
  const sql = 'SELECT current_user::text AS name';
  return await Promise.all(
    ['AWSCURRENT', 'AWSPREVIOUS'].map(async (label) => {
      const [row] = await app.server.query<{ name: string }>(sql, undefined, {
        ...(await app.login({ label })),
        database,
      });
      return row?.name;
    }),
  );
}

/**
 * After each of four turns both logins act as one role in all databases; where each is its own (as AWS has it), each acts
 * as itself or both as the third.
 */
async function expectOneIdentity(app: Twins, databases: readonly string[], { setRole }: Case): Promise<void> {
  for (let turn = 1; turn <= 4; turn++) {
    const { outcome, steps } = await app.secret.rotate();
    expect(steps.filter((step) => step.outcome === 'failed')).toEqual([]);
    expect(outcome).toBe('succeeded');
    for (const database of databases) {
      const actors = await actorsIn(app, database);
      const themselves = [app.base.name, app.twin].toSorted();
      if (!setRole && actors.toSorted().join() === themselves.join()) continue;
      expect({ turn, database, actors }).toEqual({ turn, database, actors: [actors[0], actors[0]] });
      expect(actors[0]).not.toBe(app.twin);
    }
  }
}

describe.each(outermostVersions())('PostgreSQL %i', (version) => {
  test.each(NAMED)("a database's SET role: %s", async (_, each) => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const { app, database, third } = await arrange(scope, each);
    const other = await scope.createDatabase('other');
    await app.administer(`ALTER DATABASE ${escapeIdentifier(database)} SET role = ${escapeLiteral(third)}`);

    await expectOneIdentity(app, [database, other, 'postgres'], each);

    const [actor] = await actorsIn(app, database);
    if (each.member && each.own !== "role = 'none'") expect(actor).toBe(third);
    else expect(actor).not.toBe(third);
  });

  test("another database's SET role", async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const each: Case = { member: true, setRole: true };
    const { app, database, third } = await arrange(scope, each);
    const other = await scope.createDatabase('other');
    await app.administer(`ALTER DATABASE ${escapeIdentifier(other)} SET role = ${escapeLiteral(third)}`);

    await expectOneIdentity(app, [database, other], each);

    expect(await actorsIn(app, database)).toEqual([app.base.name, app.base.name]);
    expect(await actorsIn(app, other)).toEqual([third, third]);
  });

  test('one that comes later, and goes again', async () => {
    const server = await sharedServer(version);
    await using scope = roleScope(server);
    const each: Case = { member: true, setRole: true };
    const { app, database, third } = await arrange(scope, each);
    await expectOneIdentity(app, [database], each);
    await app.administer(`ALTER DATABASE ${escapeIdentifier(database)} SET role = ${escapeLiteral(third)}`);
    await twinTurn(app);
    await expectOneIdentity(app, [database], each);
    expect(await actorsIn(app, database)).toEqual([third, third]);
    await app.administer(`ALTER DATABASE ${escapeIdentifier(database)} RESET role`);
    await twinTurn(app);
    await expectOneIdentity(app, [database], each);
    expect(await actorsIn(app, database)).toEqual([app.base.name, app.base.name]);
  });

  test('for all roles, and for all but one database', async () => {
    await using server = await startTestServer({ version });
    // The tests' own superuser is a role of all, too.
    await server.query(`ALTER ROLE ${escapeIdentifier(server.superuser.username)} SET role = 'none'`);
    for (const [index, each] of CASES.entries()) {
      await using scope = roleScope(server);
      const { app, database, third } = await arrange(scope, each);
      const other = await scope.createDatabase('other');
      await app.administer(`
        ALTER DATABASE ${escapeIdentifier(other)} SET role = ${escapeLiteral(app.base.name)};
        ALTER ROLE ALL SET role = ${escapeLiteral(third)}`);
      try {
        await expectOneIdentity(app, [database, other], each);
        const [actor] = await actorsIn(app, database);
        const isThird = each.member && each.own !== "role = 'none'";
        expect({ index, isThird: actor === third }).toEqual({ index, isThird });
      } finally {
        await app.administer('ALTER ROLE ALL RESET role');
      }
    }
  });
});

/** On to the twin's turn, in which it is mended. */
async function twinTurn(app: Twins): Promise<void> {
  do await app.rotate();
  while ((await app.login()).user !== app.twin);
}
