import { describe, expect, it } from 'vitest';
import type { TwinPlanOptions } from '../../../shared/database/twin-plan.ts';
import type { TwinLink } from '../../../shared/rotation/ports.ts';
import { type Case, plan, planOf, refusal } from '../../support/twin-cases.ts';

describe('the plan for a twin', () => {
  it('is nothing where nothing differs', () => {
    expect(plan({})).toEqual([]);
    expect(plan({ turn: 'base' })).toEqual([]);
  });

  it('is nothing for the base role, however the twin differs', () => {
    expect(plan({ turn: 'base', twin: { canLogin: false, connectionLimit: 0, settings: {} } })).toEqual([]);
  });

  it('makes it, like the base role', () => {
    const base = { connectionLimit: 5, validUntil: '2999-01-01 00:00:00+00', settings: { shop: ['app.x=1'] } };
    expect(plan({ base, twin: null })).toEqual([
      `CREATE ROLE "app_clone" LOGIN CONNECTION LIMIT 5 VALID UNTIL '2999-01-01 00:00:00+00'`,
      'GRANT "app" TO "app_clone" WITH INHERIT TRUE, SET TRUE',
      `ALTER ROLE "app_clone" SET "role" TO 'app'`,
      `ALTER ROLE "app_clone" IN DATABASE "shop" SET "app.x" TO '1'`,
    ]);
    expect(plan({ twin: null }, { version: 15 })).toContain('GRANT "app" TO "app_clone"');
  });

  it.each<[string, Case, string[]]>([
    ['NOLOGIN', { twin: { canLogin: false } }, ['ALTER ROLE "app_clone" LOGIN']],
    ['NOINHERIT', { twin: { inherit: false } }, ['ALTER ROLE "app_clone" INHERIT']],
    ['a limit of its own', { twin: { connectionLimit: 0 } }, ['ALTER ROLE "app_clone" CONNECTION LIMIT -1']],
    ['an expiry', { twin: { validUntil: '2001-01-01' } }, [`ALTER ROLE "app_clone" VALID UNTIL 'infinity'`]],
    ['no set option', { membership: { set: false } }, ['GRANT "app" TO "app_clone" WITH INHERIT TRUE, SET TRUE']],
    [
      'no inherit option',
      { membership: { inherit: false } },
      ['GRANT "app" TO "app_clone" WITH INHERIT TRUE, SET TRUE'],
    ],
    ['no role set', { twin: { settings: {} } }, [`ALTER ROLE "app_clone" SET "role" TO 'app'`]],
    ['another role set', { twin: { settings: { '': ['role=none'] } } }, [`ALTER ROLE "app_clone" SET "role" TO 'app'`]],
    [
      'REPLICATION, which the base role lost',
      { admin: { superuser: true }, twin: { replication: true } },
      ['ALTER ROLE "app_clone" NOREPLICATION'],
    ],
  ])('mends %s', (_, which, statements) => {
    expect(plan(which)).toEqual(statements);
  });

  it('takes no VALID UNTIL and an infinite one for the same', () => {
    expect(plan({ base: { validUntil: 'infinity' }, twin: { validUntil: null } })).toEqual([]);
    expect(plan({ base: { validUntil: null }, twin: { validUntil: 'infinity' } })).toEqual([]);
  });

  it('gives attributes that SET ROLE would not give only to a twin that acts as itself', () => {
    const base = { createDb: true, createRole: true, bypassRls: true };
    const admin = { superuser: true };
    expect(plan({ admin, base })).toEqual([]);
    expect(plan({ admin, base, twin: { settings: {} } }, { setRole: false })).toEqual([
      'ALTER ROLE "app_clone" CREATEDB CREATEROLE BYPASSRLS',
    ]);
    expect(plan({}, { setRole: false })).toEqual(['ALTER ROLE "app_clone" RESET "role"']);
  });
});

describe('the plan is refused', () => {
  it.each<[string, Case]>([
    ['ROLE_MISSING', { base: null }],
    ['APPLICATION_USER_IS_SUPERUSER', { base: { superuser: true } }],
    ['ROLE_CANNOT_LOGIN', { base: { canLogin: false } }],
    ['ROLE_EXPIRED', { base: { expired: true } }],
    ['ROLE_CONNECTION_LIMIT', { base: { connectionLimit: 0 } }],
    ['TWIN_IS_SUPERUSER', { twin: { superuser: true }, link: { superuser: true } }],
    ['TWIN_NOT_LINKED', { membership: null }],
    ['TWIN_NOT_LINKED', { link: { membership: 'own' } }],
    ['TWIN_NOT_LINKED', { link: { setToBase: false } }],
    ['TWIN_NOT_LINKED', { membership: { set: false }, link: { maySet: false } }],
  ])('with %s in either turn, whoever asks: %o', (code, which) => {
    for (const turn of ['twin', 'base'] as const) {
      for (const superuser of [true, false]) {
        expect(refusal({ ...which, turn, admin: { superuser } })).toMatchObject({ code });
      }
    }
  });

  it("with ROLE_MISSING in the base role's turn, where the current user is gone", () => {
    expect(refusal({ twin: null, turn: 'base' })).toMatchObject({
      code: 'ROLE_MISSING',
      facts: { username: 'app_clone' },
    });
  });

  it.each<[string, Case, Partial<TwinPlanOptions>, string]>([
    ['CREATEROLE', { admin: { createRole: false } }, {}, 'ALTER ROLE "admin" CREATEROLE;'],
    ['CREATEROLE', { admin: { createRole: false }, turn: 'base' }, {}, 'ALTER ROLE "admin" CREATEROLE;'],
    ['ADMIN OPTION', { base: { adminOption: false } }, {}, 'GRANT "app" TO "admin" WITH ADMIN OPTION;'],
    ['ADMIN OPTION', { base: { adminOption: false }, turn: 'base' }, {}, 'GRANT "app" TO "admin" WITH ADMIN OPTION;'],
    ['ADMIN OPTION', { twin: { adminOption: false } }, {}, 'GRANT "app_clone" TO "admin" WITH ADMIN OPTION;'],
    ['REPLICATION', { base: { replication: true } }, {}, 'ALTER ROLE "admin" REPLICATION; (by a superuser)'],
    ['REPLICATION', { base: { replication: true } }, { version: 15 }, 'ALTER ROLE "app" NOREPLICATION;'],
    ['REPLICATION', { base: { replication: true }, turn: 'base' }, { version: 14 }, 'ALTER ROLE "app" NOREPLICATION;'],
    ['REPLICATION', { twin: { replication: true } }, { version: 14 }, 'ALTER ROLE "app_clone" NOREPLICATION;'],
    [
      'app.x',
      { admin: { forbiddenSettings: ['app.x'] }, base: { settings: { '': ['app.x=1'] } } },
      {},
      'GRANT SET ON PARAMETER "app.x" TO "admin";',
    ],
    [
      'app.x',
      { admin: { forbiddenSettings: ['app.x'] }, base: { settings: { '': ['app.x=1'] } } },
      { version: 14 },
      'ALTER ROLE "app" RESET "app.x";',
    ],
  ])('with PERMISSION_DENIED and its remedy where the administrator lacks %s: %o', (_, which, options, remedy) => {
    expect(refusal(which, options)).toMatchObject({
      code: 'PERMISSION_DENIED',
      facts: { credential: 'superuser', remedy: expect.stringContaining(remedy) },
    });
    expect(() => plan({ ...which, admin: { ...which.admin, superuser: true } }, options)).not.toThrow();
  });

  it('not for what is not needed: ADMIN OPTION before 16, or to a member of rds_superuser', () => {
    expect(plan({ base: { adminOption: false } }, { version: 15 })).toEqual([]);
    expect(plan({ base: { adminOption: false }, admin: { rdsSuperuser: true } })).toEqual([]);
    expect(plan({ base: { adminOption: false }, admin: { rdsSuperuser: true }, turn: 'base' })).toEqual([]);
  });

  it('not for a setting that may not be set and need not be', () => {
    const settings = { '': ['app.x=1', 'role=app'] };
    const base = { settings: { '': ['app.x=1'] } };
    expect(plan({ base, twin: { settings }, admin: { forbiddenSettings: ['app.x'] } })).toEqual([]);
  });
});

describe('the proof that two roles are twins', () => {
  const PROVEN = { provenByLogin: true };

  it('is a membership that somebody else gave, and beside it the setting, which it may follow, or a login', () => {
    const memberships = ['granted', 'own', 'none'] as const;
    const cases = memberships.flatMap((membership) =>
      [true, false].flatMap((setToBase) =>
        [true, false].flatMap((maySet) =>
          [true, false].map((provenByLogin) => ({ membership, maySet, setToBase, provenByLogin })),
        ),
      ),
    );
    for (const { provenByLogin, ...link } of cases) {
      for (const turn of ['twin', 'base'] as const) {
        const taken = () => planOf({ turn, link }, { provenByLogin });
        if (link.membership === 'granted' && ((link.setToBase && link.maySet) || provenByLogin))
          expect(taken).not.toThrow();
        else expect(taken).toThrow(expect.objectContaining({ code: 'TWIN_NOT_LINKED' }));
      }
    }
  });

  it.each<[string, Partial<TwinLink>, RegExp, RegExp]>([
    [
      'a role of that name',
      { membership: 'none', setToBase: false },
      /no member of it/,
      /GRANT "app" TO "app_clone"; ALTER/,
    ],
    ['who set itself to act as it', { membership: 'none' }, /set to act as it and is no member/, /GRANT "app" TO/],
    [
      'a membership of its own making',
      { membership: 'own' },
      /itself made it a member/,
      /REVOKE "app" FROM "app_clone"; GRANT/,
    ],
    [
      'a mere membership',
      { setToBase: false },
      /neither acts as it by a setting nor logs in/,
      /administrator: ALTER ROLE/,
    ],
    [
      'a membership that withholds SET',
      { maySet: false },
      /a member without SET and logs in with no password/,
      /administrator: GRANT "app" TO "app_clone" WITH SET TRUE; ALTER ROLE/,
    ],
    ['an owner of objects', { setToBase: false, ownsObjects: true }, /neither/, /hand over what it owns/],
  ])('is asked of an administrator in words for %s', (_, link, found, remedy) => {
    expect(refusal({ link })).toMatchObject({
      message: expect.stringMatching(found),
      remedy: expect.stringMatching(remedy),
      facts: { username: 'app_clone' },
    });
    expect(refusal({ link })).toMatchObject({ remedy: expect.stringContaining(`SET role = 'app'`) });
  });

  it('is not needed where there is no twin yet, and a login proves nothing then', () => {
    expect(plan({ twin: null }, PROVEN)).toContain('GRANT "app" TO "app_clone" WITH INHERIT TRUE, SET TRUE');
    expect(refusal({ twin: null, turn: 'base' }, PROVEN)).toMatchObject({ code: 'ROLE_MISSING' });
  });
});

describe('a clone that owns objects', () => {
  const OWNER: Case = { twin: { settings: {} }, link: { setToBase: false, ownsObjects: true } };
  const PROVEN = { provenByLogin: true };

  it('goes on acting as itself, with the settings and attributes that it has, and the plan says so in either turn', () => {
    expect(planOf(OWNER, PROVEN)).toEqual({ statements: [], actsAsItself: true });
    expect(planOf({ ...OWNER, turn: 'base' }, PROVEN)).toEqual({ statements: [], actsAsItself: true });
    expect(plan({ ...OWNER, base: { createDb: true, settings: { '': ['work_mem=9MB'] } } }, PROVEN)).toEqual([]);
  });

  it('is a twin like others where it acts as the base role already, or where none is to', () => {
    expect(planOf({ link: { ownsObjects: true } })).toEqual({ statements: [], actsAsItself: false });
    expect(planOf(OWNER, { ...PROVEN, setRole: false })).toEqual({ statements: [], actsAsItself: false });
  });

  it('that owns none any more acts as the base role from the next rotation on', () => {
    const handedOver: Case = { twin: { settings: {} }, link: { setToBase: false } };
    expect(planOf(handedOver, PROVEN)).toEqual({
      statements: [`ALTER ROLE "app_clone" SET "role" TO 'app'`],
      actsAsItself: false,
    });
  });
});

describe('a third role that the database has logins act as', () => {
  it("is the twin's by a setting of its own", () => {
    const thirdRoles = [{ database: 'shop', role: 'owner' }];
    expect(plan({ thirdRoles })).toEqual([`ALTER ROLE "app_clone" IN DATABASE "shop" SET "role" TO 'owner'`]);
    expect(plan({ thirdRoles: [{ database: '', role: 'owner' }] })).toEqual([
      `ALTER ROLE "app_clone" SET "role" TO 'owner'`,
    ]);
  });

  it('counts not where the base role has a setting of its own, nor for a twin that acts as itself', () => {
    const thirdRoles = [{ database: 'shop', role: 'owner' }];
    const base = { settings: { '': ['role=none'] } };
    expect(plan({ base, thirdRoles })).toEqual([]);
    expect(plan({ thirdRoles, twin: { settings: {} } }, { setRole: false })).toEqual([]);
  });
});
