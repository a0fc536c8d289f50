/** What of a twin's plan depends on the server's major version, on both sides of each boundary. */
import { describe, expect, it } from 'vitest';
import { type Case, plan, refusal } from '../../support/twin-cases.ts';

/** The oldest that is tested, those beside a boundary, and the newest. */
const VERSIONS = [14, 15, 16, 18];

/** What comes of a plan: its statements, or what would have to be done first. */
function outcome(which: Case, version: number, setRole: boolean): string {
  try {
    return plan(which, { version, setRole }).join('; ');
  } catch {
    return `refused: ${(refusal(which, { version, setRole }) as { remedy: string }).remedy}`;
  }
}

const SETTING = { settings: { '': ['app.x=1'] } };
const NO_MEMBER: Case = { membership: { inherit: false } };
const BY_SUPERUSER = '(by a superuser)';
const REPLICATING = (role: string) =>
  `refused: ALTER ROLE "${role}" NOREPLICATION; or have the superuser secret hold a superuser's login.`;
const ONCE = (keyword: string) => `refused: As a superuser, once: ALTER ROLE "app_clone" ${keyword};`;
const MAKE_ONCE = (keyword: string) =>
  `refused: As a superuser, once: CREATE ROLE "app_clone" ${keyword} IN ROLE "app"; ALTER ROLE "app_clone" SET role = 'app';`;
const HAVE = (keyword: string) => `refused: ALTER ROLE "admin" ${keyword}; ${BY_SUPERUSER}`;
const OPTION = (role: string) => `refused: GRANT "${role}" TO "admin" WITH ADMIN OPTION;`;
const RESET = 'ALTER ROLE "app_clone" RESET "role"';

/** [what, case, whether the twin is to act as the base role, what comes of it on 14, 15, 16 and 18] */
const TABLE: readonly (readonly [string, Case, boolean, readonly [string, string, string, string]])[] = [
  [
    'a membership that gives too little',
    NO_MEMBER,
    true,
    [
      'GRANT "app" TO "app_clone"',
      'GRANT "app" TO "app_clone"',
      'GRANT "app" TO "app_clone" WITH INHERIT TRUE, SET TRUE',
      'GRANT "app" TO "app_clone" WITH INHERIT TRUE, SET TRUE',
    ],
  ],
  [
    "ADMIN OPTION on the base role, in the twin's turn",
    { base: { adminOption: false } },
    true,
    ['', '', OPTION('app'), OPTION('app')],
  ],
  [
    'ADMIN OPTION on the base role, in its own turn',
    { base: { adminOption: false }, turn: 'base' },
    true,
    ['', '', OPTION('app'), OPTION('app')],
  ],
  [
    'ADMIN OPTION on the twin',
    { twin: { adminOption: false } },
    true,
    ['', '', OPTION('app_clone'), OPTION('app_clone')],
  ],
  [
    'a base role with REPLICATION, whose turn it is',
    { base: { replication: true }, turn: 'base' },
    true,
    [REPLICATING('app'), REPLICATING('app'), '', ''],
  ],
  [
    'a base role with REPLICATION, which the twin has not',
    { base: { replication: true } },
    true,
    [REPLICATING('app'), REPLICATING('app'), HAVE('REPLICATION'), HAVE('REPLICATION')],
  ],
  [
    'a twin with REPLICATION, as the base role',
    { base: { replication: true }, twin: { replication: true } },
    true,
    [REPLICATING('app_clone'), REPLICATING('app_clone'), '', ''],
  ],
  [
    'an administrator with REPLICATION',
    { base: { replication: true }, admin: { replication: true } },
    true,
    [
      REPLICATING('app'),
      REPLICATING('app'),
      'ALTER ROLE "app_clone" REPLICATION',
      'ALTER ROLE "app_clone" REPLICATION',
    ],
  ],
  [
    'BYPASSRLS for a twin that is there',
    { base: { bypassRls: true } },
    false,
    [ONCE('BYPASSRLS'), ONCE('BYPASSRLS'), HAVE('BYPASSRLS'), HAVE('BYPASSRLS')],
  ],
  [
    'BYPASSRLS for a twin that is to be made',
    { base: { bypassRls: true }, twin: null },
    false,
    [MAKE_ONCE('BYPASSRLS'), MAKE_ONCE('BYPASSRLS'), HAVE('BYPASSRLS'), HAVE('BYPASSRLS')],
  ],
  [
    'CREATEDB',
    { base: { createDb: true } },
    false,
    [
      `ALTER ROLE "app_clone" CREATEDB; ${RESET}`,
      `ALTER ROLE "app_clone" CREATEDB; ${RESET}`,
      HAVE('CREATEDB'),
      HAVE('CREATEDB'),
    ],
  ],
  [
    'CREATEROLE',
    { base: { createRole: true }, admin: { createRole: true } },
    false,
    Array.from({ length: 4 }, () => `ALTER ROLE "app_clone" CREATEROLE; ${RESET}`) as [string, string, string, string],
  ],
  [
    'a setting that the administrator may not set',
    { base: SETTING, admin: { forbiddenSettings: ['app.x'] } },
    true,
    [
      'refused: ALTER ROLE "app" RESET "app.x"; or make "admin" a superuser.',
      'refused: GRANT SET ON PARAMETER "app.x" TO "admin";',
      'refused: GRANT SET ON PARAMETER "app.x" TO "admin";',
      'refused: GRANT SET ON PARAMETER "app.x" TO "admin";',
    ],
  ],
];

describe('on PostgreSQL 14, 15, 16 and 18', () => {
  it.each(TABLE)('%s', (_, which, setRole, expected) => {
    expect(VERSIONS.map((version) => outcome(which, version, setRole))).toEqual(expected);
  });

  it.each(TABLE)('a superuser is refused nothing for %s', (_, which, setRole) => {
    for (const version of VERSIONS)
      expect(() => plan({ ...which, admin: { superuser: true } }, { version, setRole })).not.toThrow();
  });
});

describe('a member of rds_superuser', () => {
  const RDS = { rdsSuperuser: true, createRole: true };

  it.each<[string, Case]>([
    ['needs no ADMIN OPTION', { base: { adminOption: false }, twin: { adminOption: false } }],
    ["alters a role with REPLICATION, in the base role's turn", { base: { replication: true }, turn: 'base' }],
    ['gives REPLICATION, as far as the catalog tells', { base: { replication: true } }],
    ['sets what the catalog says it may not', { base: SETTING, admin: { forbiddenSettings: ['app.x'] } }],
  ])('%s, on every version', (_, which) => {
    for (const version of VERSIONS)
      expect(() => plan({ ...which, admin: { ...which.admin, ...RDS } }, { version })).not.toThrow();
  });

  it('needs CREATEROLE all the same', () => {
    for (const version of VERSIONS)
      expect(refusal({ admin: { rdsSuperuser: true, createRole: false } }, { version })).toMatchObject({
        code: 'PERMISSION_DENIED',
        remedy: 'ALTER ROLE "admin" CREATEROLE;',
      });
  });
});
