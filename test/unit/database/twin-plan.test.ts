import { describe, expect, it } from 'vitest';
import { planTwin, type TwinPlanOptions } from '../../../shared/database/twin-plan.ts';
import type { AdminState, Membership, RoleState, TwinState } from '../../../shared/database/twin-state.ts';

const ROLE: RoleState = {
  superuser: false,
  canLogin: true,
  inherit: true,
  replication: false,
  createDb: false,
  createRole: false,
  bypassRls: false,
  connectionLimit: -1,
  validUntil: null,
  expired: false,
  settings: {},
  adminOption: true,
};
const TWIN: RoleState = { ...ROLE, settings: { '': ['role=app'] } };
const LINKED: Membership = { inherit: true, set: true, granted: true };
const ADMIN: AdminState = {
  name: 'admin',
  superuser: false,
  createRole: true,
  replication: false,
  createDb: false,
  bypassRls: false,
  rdsSuperuser: false,
  forbiddenSettings: [],
};

interface Case {
  readonly admin?: Partial<AdminState>;
  readonly base?: Partial<RoleState> | null;
  /** Null: there is none. */
  readonly twin?: Partial<RoleState> | null;
  readonly membership?: Partial<Membership> | null;
  readonly turn?: 'twin' | 'base';
}

function plan(
  { admin, base, twin, membership, turn = 'twin' }: Case,
  options: Partial<TwinPlanOptions> = {},
): readonly string[] {
  const state: TwinState = {
    admin: { ...ADMIN, ...admin },
    base: base === null ? null : { ...ROLE, ...base },
    twin: twin === null ? null : { ...TWIN, ...twin },
    membership: membership === null || twin === null ? null : { ...LINKED, ...membership },
  };
  const change = { base: 'app', twin: 'app_clone', username: turn === 'twin' ? 'app_clone' : 'app' };
  return planTwin(state, change, { setRole: true, version: 18, ...options });
}

/** What the plan is refused with. */
function refusal(which: Case, options: Partial<TwinPlanOptions> = {}): unknown {
  try {
    plan(which, options);
  } catch (error) {
    return error;
  }
  return expect.unreachable('The plan was expected to be refused.');
}

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
      `ALTER ROLE "app_clone" IN DATABASE "shop" SET "app.x" TO '1'`,
      `ALTER ROLE "app_clone" SET "role" TO 'app'`,
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
    ['TWIN_IS_SUPERUSER', { twin: { superuser: true } }],
    ['TWIN_NOT_LINKED', { membership: null }],
    ['TWIN_NOT_LINKED', { membership: { granted: false } }],
  ])('with %s in either turn, whoever asks: %o', (code, which) => {
    for (const turn of ['twin', 'base'] as const) {
      for (const superuser of [true, false]) {
        expect(refusal({ ...which, turn, admin: { superuser } })).toMatchObject({ code });
      }
    }
  });

  it("with TWIN_NOT_LINKED in the base role's turn, where the current user can't be its twin", () => {
    expect(refusal({ twin: null, turn: 'base' })).toMatchObject({ code: 'TWIN_NOT_LINKED' });
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
