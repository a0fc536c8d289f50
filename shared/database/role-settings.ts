import { escapeIdentifier, escapeLiteral } from 'pg';

/** A role's settings as pg_db_role_setting has them, `name=value`, by database; '' is for all databases. */
export type RoleSettings = Readonly<Record<string, readonly string[]>>;

/** Settings whose value is a list of names, each quoted by itself (GUC_LIST_QUOTE in PostgreSQL's guc tables). */
const LISTS = [
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
];

/** Of these, the ones in which a name that is not quoted is in lower case, however it is written. */
const FOLDED = ['search_path', 'temp_tablespaces'];

/**
 * Settings that say nothing of a session, whoever has them: each transaction begins with its own, and `seed` counts only
 * where a session sets it. They can be set for a role, but not taken back one by one (GUC_NO_RESET there).
 */
const OF_NO_SESSION = ['seed', 'transaction_deferrable', 'transaction_isolation', 'transaction_read_only'];

/**
 * The settings that a twin should have; pure.
 *
 * @param role the role that it acts as from login on, unless the base role itself acts as another.
 * @param thirdRoles roles, by database, that a setting of the database has the base role act as: a setting of the twin's
 *   own, which counts before that, has to say the same.
 */
export function wantedSettings(
  base: RoleSettings,
  role: string | undefined,
  thirdRoles: Readonly<Record<string, string>> = {},
): RoleSettings {
  if (role === undefined) return base;
  const own = `role=${role}`;
  const saysRole = (database: string) => of(base, database)?.some((setting) => setting.startsWith('role=')) === true;
  const wanted = new Map<string, readonly string[]>();
  for (const database of new Set(['', ...Object.keys(base), ...Object.keys(thirdRoles)])) {
    // To the base role this means itself; the twin would be cut off from it.
    const all = (of(base, database) ?? []).map((setting) => (setting === 'role=none' ? own : setting));
    const third = of(thirdRoles, database);
    // What the base role's own settings say of a role, in this database or in all, counts before the database's.
    const acts = third === undefined || saysRole('') || saysRole(database) ? [] : [`role=${third}`];
    const byDefault = database === '' && !saysRole('') && acts.length === 0 ? [own] : [];
    const settings = [...all, ...acts, ...byDefault];
    if (settings.length > 0) wanted.set(database, settings);
  }
  return Object.fromEntries(wanted);
}

/** Own members only: a database may be called "constructor". */
function of<Value>(values: Readonly<Record<string, Value>>, database: string): Value | undefined {
  return Object.hasOwn(values, database) ? values[database] : undefined;
}

/** All but what they say of a role to act as. */
export function withoutRole(settings: RoleSettings): RoleSettings {
  const entries = Object.entries(settings).map(([database, all]) => [
    database,
    all.filter((setting) => !setting.startsWith('role=')),
  ]);
  return Object.fromEntries(entries);
}

/** One difference between two roles' settings; without a value it is to be reset. */
export interface SettingChange {
  /** '' is all databases. */
  readonly database: string;
  readonly name: string;
  readonly value?: string;
}

/** What has to change from one set of settings to another, as far as sessions can tell; pure. */
export function settingChanges(from: RoleSettings, to: RoleSettings): readonly SettingChange[] {
  const databases = [...new Set([...Object.keys(from), ...Object.keys(to)])].filter(isReadable);
  return databases.flatMap((database) => {
    const had = settingsThatCount(of(from, database));
    const wanted = settingsThatCount(of(to, database));
    const sets = [...wanted].filter(([name, value]) => had.get(name) !== value);
    const resets = [...had.keys()].filter((name) => !wanted.has(name));
    return [...sets.map(([name, value]) => ({ database, name, value })), ...resets.map((name) => ({ database, name }))];
  });
}

function settingsThatCount(settings: readonly string[] = []): ReadonlyMap<string, string> {
  const all = settings.filter(isReadable).map(splitSetting);
  return new Map(all.filter(([name]) => !OF_NO_SESSION.includes(name)));
}

/**
 * Names and settings are bytes that all databases share: what a database in another encoding has written can't be read
 * here, and so not be written either. It stays as it is.
 */
function isReadable(text: string): boolean {
  return !text.includes('\ufffd');
}

/** The statement that makes one change. */
export function settingStatement(role: string, { database, name, value }: SettingChange): string {
  const where = database === '' ? '' : ` IN DATABASE ${escapeIdentifier(database)}`;
  const what =
    value === undefined
      ? `RESET ${escapeIdentifier(name)}`
      : `SET ${escapeIdentifier(name)} TO ${valueLiteral(name, value)}`;
  return `ALTER ROLE ${escapeIdentifier(role)}${where} ${what}`;
}

function splitSetting(setting: string): readonly [name: string, value: string] {
  const at = setting.indexOf('=');
  return [setting.slice(0, at), setting.slice(at + 1)];
}

function valueLiteral(name: string, value: string): string {
  if (!LISTS.includes(name)) return escapeLiteral(value);
  const unquoted = (each: string) => (FOLDED.includes(name) ? each.toLowerCase() : each);
  const names = Array.from(value.matchAll(/"((?:[^"]|"")*)"|[^\s,"]+/g), ([whole, quoted]) =>
    quoted === undefined ? unquoted(whole) : quoted.replaceAll('""', '"'),
  );
  // An empty list is written as an empty string.
  return names.length === 0 ? "''" : names.map((each) => escapeLiteral(each)).join(', ');
}
