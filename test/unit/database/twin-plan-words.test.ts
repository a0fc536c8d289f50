import { describe, expect, it } from 'vitest';
import { type Case, plan, planOf, refusal } from '../../support/twin-cases.ts';

describe('a refusal says what was needed, what was found, and what to do', () => {
  it.each<[Case, string, string]>([
    [
      { base: { superuser: true } },
      'An application user that is no superuser was needed, and "app" is one.',
      'ALTER ROLE "app" NOSUPERUSER; or attach the secret to the single-user function, AWSPENDING taken off first (rotation doctor --fix does that).',
    ],
    [
      { base: { canLogin: false } },
      'The role "app" must be allowed to log in, and it has NOLOGIN.',
      'ALTER ROLE "app" LOGIN;',
    ],
    [
      { base: { expired: true } },
      'The role "app" must be valid, and its VALID UNTIL is past.',
      `ALTER ROLE "app" VALID UNTIL 'infinity';`,
    ],
    [
      { base: { connectionLimit: 0 } },
      'The role "app" must be allowed connections, and its CONNECTION LIMIT is 0.',
      'ALTER ROLE "app" CONNECTION LIMIT -1;',
    ],
    [{ base: null }, 'The role "app" must exist, and it does not.', 'Correct "username" in the secret.'],
    [
      { admin: { createRole: false } },
      `The superuser secret's user "admin" must be able to change roles, and it is not.`,
      'ALTER ROLE "admin" CREATEROLE;',
    ],
    [
      { base: { adminOption: false } },
      `The superuser secret's user "admin" must be able to have ADMIN OPTION on "app", and it is not.`,
      'GRANT "app" TO "admin" WITH ADMIN OPTION;',
    ],
    [
      { base: { replication: true } },
      `The superuser secret's user "admin" must be able to give "app_clone" REPLICATION as "app" has it, and it is not.`,
      'ALTER ROLE "admin" REPLICATION; (by a superuser)',
    ],
    [
      { base: { settings: { '': ['app.x=1'] } }, admin: { forbiddenSettings: ['app.x'] } },
      `The superuser secret's user "admin" must be able to set app.x for "app_clone" as "app" has it, and it is not.`,
      'GRANT SET ON PARAMETER "app.x" TO "admin";',
    ],
  ])('%o', (which, message, remedy) => {
    expect(refusal(which)).toMatchObject({ message, remedy });
  });

  it('before PostgreSQL 16, of REPLICATION', () => {
    expect(refusal({ base: { replication: true } }, { version: 15 })).toMatchObject({
      message: `The superuser secret's user "admin" must be able to alter or copy "app", which has REPLICATION and so needs a superuser before PostgreSQL 16, and it is not.`,
    });
  });
});

describe('what a login takes is mended of a clone that owns objects', () => {
  const link = { setToBase: false, ownsObjects: true };
  const mended = (which: Case) => planOf({ ...which, link }, { provenByLogin: true });

  it('as all of it, and its membership', () => {
    const twin = { canLogin: false, connectionLimit: 0, expired: true, settings: {} };
    expect(mended({ twin, base: { connectionLimit: 7 }, membership: { inherit: false } })).toEqual({
      statements: [
        `ALTER ROLE "app_clone" LOGIN CONNECTION LIMIT 7 VALID UNTIL 'infinity'`,
        'GRANT "app" TO "app_clone" WITH INHERIT TRUE, SET TRUE',
      ],
      actsAsItself: true,
    });
  });

  it.each<[Partial<NonNullable<Case['twin']>>, string]>([
    [{ canLogin: false }, 'ALTER ROLE "app_clone" LOGIN'],
    [{ connectionLimit: 0 }, 'ALTER ROLE "app_clone" CONNECTION LIMIT -1'],
    [{ expired: true }, `ALTER ROLE "app_clone" VALID UNTIL 'infinity'`],
  ])('as %o alone', (twin, statement) => {
    expect(mended({ twin: { ...twin, settings: {} } }).statements).toEqual([statement]);
  });
});

describe('where the twin only inherits from the base role, which acts as a third one,', () => {
  const settings = { '': ['role=owner', 'app.x=1'] };
  const planned = (link: NonNullable<Case['link']>) =>
    planOf({ base: { settings }, twin: { settings: {} }, link }, { setRole: false, provenByLogin: true }).statements;

  it.each([
    ['a twin does so too', { setToBase: false, ownsObjects: false }, true],
    ['a twin that owns objects goes on as itself', { setToBase: false, ownsObjects: true }, false],
    ['and so does one that is set to act as the base role', { setToBase: true, ownsObjects: true }, true],
  ])('%s', (_, link, isSet) => {
    const statements = planned(link);
    expect(statements.some((statement) => /SET "?role"? /.test(statement))).toBe(isSet);
    expect(statements.some((statement) => statement.includes('app.x'))).toBe(true);
  });
});

describe('the limit of connections', () => {
  it("is the base role's, and not set where both have the same, or a new twin needs none", () => {
    expect(plan({ base: { connectionLimit: 5 }, twin: { connectionLimit: 5 } })).toEqual([]);
    expect(plan({ base: { connectionLimit: 1 }, twin: null })[0]).toBe(
      'CREATE ROLE "app_clone" LOGIN CONNECTION LIMIT 1',
    );
    expect(plan({ base: { connectionLimit: -1 }, twin: null })[0]).toBe('CREATE ROLE "app_clone" LOGIN');
  });
});
