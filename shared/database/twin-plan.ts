import { escapeIdentifier, escapeLiteral } from 'pg';
import { quotedName, quotedText, RotationError, type RotationErrorCode } from '../errors.ts';
import { twinNotLinked } from '../rotation/credential-errors.ts';
import type { TwinChange } from '../rotation/ports.ts';
import { TO_SINGLE_USER } from '../rotation/remedies.ts';
import { type SettingChange, settingChanges, settingStatement, wantedSettings, withoutRole } from './role-settings.ts';
import type { AdminState, RoleState, TwinState } from './twin-state.ts';

export interface TwinPlanOptions {
  /** Whether the twin acts as the base role (`ALTER ROLE twin SET role`), or only inherits from it as AWS's clone does. */
  readonly setRole: boolean;
  /** The server's major version. */
  readonly version: number;
  /** Whether a version of this secret has logged in as the other of the two names. */
  readonly provenByLogin: boolean;
}

export interface TwinPlan {
  readonly statements: readonly string[];
  /** It owns objects, which acting as the base role would take from it: it goes on as AWS's function made it. */
  readonly actsAsItself: boolean;
}

/** Whose turn it is. */
export type Turn = Pick<TwinChange, 'base' | 'twin' | 'username'>;

type Attribute = 'replication' | 'createDb' | 'createRole' | 'bypassRls';

const KEYWORDS: Readonly<Record<Attribute, string>> = {
  replication: 'REPLICATION',
  createDb: 'CREATEDB',
  createRole: 'CREATEROLE',
  bypassRls: 'BYPASSRLS',
};

/**
 * The statements that make or mend the twin, but for its password; pure. Only what differs is altered. When it is the
 * base role's turn there are none: only its password changes.
 *
 * @throws RotationError for everything that would fail, or that would lock somebody out, before anything is changed.
 */
export function planTwin(state: TwinState, change: Turn, options: TwinPlanOptions): TwinPlan {
  const { version } = options;
  const base = usableBase(state, change);
  refuseTakeover(state, change, options.provenByLogin);
  const actsAsItself = options.setRole && state.link?.ownsObjects === true && !state.link.setToBase;
  if (change.username === change.base) {
    needAlterable(state, change.base, base, version);
    return { statements: [], actsAsItself };
  }
  if (actsAsItself) return { statements: membershipAndLogin(state, change, base, version), actsAsItself };
  const { setRole } = options;
  const thirdRoles = Object.fromEntries(state.thirdRoles.map(({ database, role }) => [database, role]));
  // Who owns objects acts as itself, whatever the base role acts as.
  const copied = state.link?.ownsObjects === true && !state.link.setToBase ? withoutRole(base.settings) : base.settings;
  const wanted = wantedSettings(copied, setRole ? change.base : undefined, thirdRoles);
  const settings = settingChanges(state.twin?.settings ?? {}, wanted);
  const attributes: readonly Attribute[] = setRole
    ? // Checked at the start of a connection, before the twin acts as the base role. The others are the base role's.
      ['replication']
    : ['replication', 'createDb', 'createRole', 'bypassRls'];
  needPrivileges(state, change, base, attributes, settings, version);

  return {
    statements: [
      ...roleStatements(state.twin, base, change.twin, attributes),
      ...membershipStatements(state, change, version),
      ...settings.map((setting) => settingStatement(change.twin, setting)),
    ],
    actsAsItself,
  };
}

/**
 * Of a clone that goes on as AWS's function made it, with the settings that its administrators gave it: only what a login
 * takes is mended.
 */
function membershipAndLogin(state: TwinState, change: Turn, base: RoleState, version: number): readonly string[] {
  const { twin } = state;
  needPrivileges(state, change, base, [], [], version);
  const options = [
    ...(twin?.canLogin === false ? ['LOGIN'] : []),
    ...(twin?.connectionLimit === 0 ? [`CONNECTION LIMIT ${base.connectionLimit}`] : []),
    ...(twin?.expired === true ? [`VALID UNTIL ${escapeLiteral(expiry(base))}`] : []),
  ];
  return [
    ...(options.length === 0 ? [] : [`ALTER ROLE ${escapeIdentifier(change.twin)} ${options.join(' ')}`]),
    ...membershipStatements(state, change, version),
  ];
}

/** The base role must be one that can log in, for its twin will be as it is. */
function usableBase({ base }: TwinState, change: Turn): RoleState {
  const role = quotedName(change.base);
  if (base === null) throw roleMissing(change.base);
  if (base.superuser) {
    throw refusal(
      'APPLICATION_USER_IS_SUPERUSER',
      `An application user that is no superuser was needed, and ${role} is one.`,
      `ALTER ROLE ${role} NOSUPERUSER; or ${TO_SINGLE_USER}.`,
      change.base,
    );
  }
  const needed = (code: RotationErrorCode, what: string, remedy: string) =>
    refusal(code, `The role ${role} must be ${what}.`, `ALTER ROLE ${role} ${remedy};`, change.base);
  if (!base.canLogin) throw needed('ROLE_CANNOT_LOGIN', 'allowed to log in, and it has NOLOGIN', 'LOGIN');
  if (base.expired) throw needed('ROLE_EXPIRED', 'valid, and its VALID UNTIL is past', "VALID UNTIL 'infinity'");
  if (base.connectionLimit === 0) {
    const found = 'allowed connections, and its CONNECTION LIMIT is 0';
    throw needed('ROLE_CONNECTION_LIMIT', found, 'CONNECTION LIMIT -1');
  }
  return base;
}

/** A role of the twin's name is the twin only if it is proven to be; any other is somebody else's. */
function refuseTakeover({ link }: TwinState, change: Turn, provenByLogin: boolean): void {
  if (link === null) {
    if (change.username === change.twin) return;
    throw roleMissing(change.twin);
  }
  const { superuser, membership, maySet, setToBase } = link;
  if (superuser || membership !== 'granted' || !((maySet && setToBase) || provenByLogin))
    throw twinNotLinked(change.base, change.twin, link);
}

/** What the administrator lacks, as the GRANT that would give it. */
function needPrivileges(
  state: TwinState,
  change: Turn,
  base: RoleState,
  attributes: readonly Attribute[],
  settings: readonly SettingChange[],
  version: number,
): void {
  const { admin, twin } = state;
  if (admin.superuser) return;
  needAdminOption(state, change.base, base, version);
  if (twin !== null) needAlterable(state, change.twin, twin, version);
  if (admin.rdsSuperuser) return;

  for (const attribute of attributes) {
    if (base[attribute] === (twin?.[attribute] ?? false) || mayGive(admin, attribute, version)) continue;
    if (attribute === 'replication' && version < 16) throw replicating(admin, change.base);
    const keyword = KEYWORDS[attribute];
    throw lacking(
      `give ${quotedName(change.twin)} ${keyword} as ${quotedName(change.base)} has it`,
      version >= 16
        ? `ALTER ROLE ${quotedName(admin.name)} ${keyword}; (by a superuser)`
        : superusersAttribute(change, keyword, twin !== null),
      admin,
    );
  }
  const forbidden = settings.map(({ name }) => name).find((name) => admin.forbiddenSettings.includes(name));
  if (forbidden !== undefined) {
    throw lacking(
      `set ${forbidden} for ${quotedName(change.twin)} as ${quotedName(change.base)} has it`,
      version >= 15
        ? `GRANT SET ON PARAMETER ${quotedName(forbidden)} TO ${quotedName(admin.name)};`
        : `ALTER ROLE ${quotedName(change.base)} RESET ${quotedName(forbidden)}; or make ${quotedName(admin.name)} a superuser.`,
      admin,
    );
  }
}

/** Before PostgreSQL 16. Whoever makes the twin vouches for it. */
function superusersAttribute({ base, twin }: Turn, keyword: string, exists: boolean): string {
  const name = quotedName(twin);
  if (exists) return `As a superuser, once: ALTER ROLE ${name} ${keyword};`;
  const vouch = `ALTER ROLE ${name} SET role = ${quotedText(base)};`;
  return `As a superuser, once: CREATE ROLE ${name} ${keyword} IN ROLE ${quotedName(base)}; ${vouch}`;
}

/** PostgreSQL 16 asks for the attribute itself; before, these two are for superusers alone, the others for CREATEROLE. */
function mayGive(admin: AdminState, attribute: Attribute, version: number): boolean {
  if (version >= 16) return admin[attribute];
  return attribute === 'createDb' || attribute === 'createRole';
}

function needCreateRole(admin: AdminState): void {
  if (admin.createRole) return;
  const name = quotedName(admin.name);
  throw lacking('change roles', `ALTER ROLE ${name} CREATEROLE;`, admin);
}

/** Before 16 only a superuser may alter a role with REPLICATION, in any way (PostgreSQL 15 manual, ALTER ROLE). */
function needAlterable(state: TwinState, name: string, role: RoleState, version: number): void {
  needAdminOption(state, name, role, version);
  const { admin } = state;
  if (version < 16 && role.replication && !admin.superuser && !admin.rdsSuperuser) throw replicating(admin, name);
}

function replicating(admin: AdminState, name: string): RotationError {
  const role = quotedName(name);
  return lacking(
    `alter or copy ${role}, which has REPLICATION and so needs a superuser before PostgreSQL 16`,
    `ALTER ROLE ${role} NOREPLICATION; or have the superuser secret hold a superuser's login.`,
    admin,
  );
}

/** From 16 on CREATEROLE alone is not enough (release notes of PostgreSQL 16). */
function needAdminOption({ admin }: TwinState, name: string, role: RoleState, version: number): void {
  if (admin.superuser) return;
  needCreateRole(admin);
  if (version < 16 || role.adminOption || admin.rdsSuperuser) return;
  const grant = `GRANT ${quotedName(name)} TO ${quotedName(admin.name)} WITH ADMIN OPTION;`;
  throw lacking(`have ADMIN OPTION on ${quotedName(name)}`, grant, admin);
}

function roleStatements(
  twin: RoleState | null,
  base: RoleState,
  name: string,
  attributes: readonly Attribute[],
): string[] {
  const options: string[] = [];
  if (twin === null || !twin.canLogin) options.push('LOGIN');
  if (twin !== null && !twin.inherit) options.push('INHERIT');
  if (base.connectionLimit !== (twin?.connectionLimit ?? -1)) options.push(`CONNECTION LIMIT ${base.connectionLimit}`);
  if (expiry(base) !== expiry(twin)) options.push(`VALID UNTIL ${escapeLiteral(expiry(base))}`);
  for (const attribute of attributes) {
    const had = twin?.[attribute] ?? false;
    if (base[attribute] !== had) options.push(`${base[attribute] ? '' : 'NO'}${KEYWORDS[attribute]}`);
  }
  if (twin === null) return [`CREATE ROLE ${escapeIdentifier(name)} ${options.join(' ')}`];
  return options.length === 0 ? [] : [`ALTER ROLE ${escapeIdentifier(name)} ${options.join(' ')}`];
}

/** No VALID UNTIL and an infinite one mean the same; the first can't be given back. */
function expiry(role: RoleState | null): string {
  return role?.validUntil ?? 'infinity';
}

function membershipStatements({ membership }: TwinState, { base, twin }: Turn, version: number): string[] {
  if (membership?.inherit && membership.set) return [];
  const options = version >= 16 ? ' WITH INHERIT TRUE, SET TRUE' : '';
  return [`GRANT ${escapeIdentifier(base)} TO ${escapeIdentifier(twin)}${options}`];
}

export function roleMissing(name: string): RotationError {
  const message = `The role ${quotedName(name)} must exist, and it does not.`;
  return refusal('ROLE_MISSING', message, 'Correct "username" in the secret.', name);
}

function refusal(code: RotationErrorCode, message: string, remedy: string, username: string): RotationError {
  return new RotationError(code, message, { remedy, username });
}

function lacking(privilege: string, remedy: string, admin: AdminState): RotationError {
  return new RotationError(
    'PERMISSION_DENIED',
    `The superuser secret's user ${quotedName(admin.name)} must be able to ${privilege}, and it is not.`,
    {
      remedy,
      credential: 'superuser',
      username: admin.name,
    },
  );
}
