/**
 * What the stand-in for Amazon Redshift lets through: an allow-list, so that a statement of ours which nobody has shown
 * Redshift to have fails in the tests. The evidence of each entry:
 *
 * - BEGIN, COMMIT, END, ROLLBACK, ABORT, SET, SHOW, SELECT, ALTER USER: Redshift developer guide, "SQL commands". DO, LISTEN,
 *   COPY … FROM STDIN and whatever else is not there is refused.
 * - SET LOCAL of a parameter: SET's page; search_path and statement_timeout: "Configuration reference". The schema pg_temp
 *   is none there: PostgreSQL knows it in a search path since 8.0.13 (its release notes), and Redshift is made of 8.0.2,
 *   which refuses to SET a path with a schema that does not exist.
 * - ALTER USER … PASSWORD with clear text, md5 and sha256, and the rules for clear text: ALTER USER and CREATE USER.
 * - session_user, current_user, current_database(), version(), pg_backend_pid(): "System information functions".
 * - count, md5, quote_ident, quote_literal, now: "SQL functions reference", NOW as a leader node's function.
 * - pg_user, pg_group, pg_namespace, pg_database, pg_class: "System catalog tables"; pg_user_info: CREATE USER's examples;
 *   svv_user_info: its page. pg_roles, pg_authid, pg_auth_members and pg_stat_activity are not in the guide.
 * - No advisory locks, no arrays, no JSON constructors, no casts to regclass: "Unsupported PostgreSQL features" and
 *   "Unsupported PostgreSQL functions".
 */
const FUNCTIONS = [
  'count',
  'current_database',
  'md5',
  'now',
  'pg_backend_pid',
  'quote_ident',
  'quote_literal',
  'version',
];
const RELATIONS = [
  'pg_user',
  'pg_user_info',
  'pg_group',
  'pg_namespace',
  'pg_database',
  'pg_class',
  'pg_catalog',
  'svv_user_info',
];
/** What may stand before a parenthesis and is no function. */
const WORDS = ['select', 'in', 'exists', 'and', 'or', 'not', 'from', 'where', 'as'];

const TRANSACTION = /^(begin|commit|end|rollback|abort)( (transaction|work))?$/i;
const SETTING = /^set local (search_path|statement_timeout) (=|to) [^;]+$/i;
const SHOW = /^show \w+$/i;
const ALTER_USER = /^(alter user (?:"(?:[^"]|"")+"|\w+) (?:with )?password )'((?:[^']|'')*)'$/i;

/** How a password is to be stored. */
export type Password =
  | { readonly kind: 'md5'; readonly stored: string }
  | { readonly kind: 'clear'; readonly text: string };

export type Verdict =
  | { readonly allowed: true; readonly password?: { readonly alter: string; readonly given: Password } }
  | { readonly allowed: false; readonly why: string };

const refused = (why: string): Verdict => ({ allowed: false, why });

/** Whether Redshift has a statement; pure. */
export function judge(statement: string): Verdict {
  const text = statement.trim();
  const bare = text.replace(/'(?:[^']|'')*'/g, "''").replace(/"(?:[^"]|"")*"/g, '"name"');
  if (TRANSACTION.test(text) || SHOW.test(text)) return { allowed: true };
  if (SETTING.test(text)) return /pg_temp/i.test(text) ? refused('schema "pg_temp" does not exist') : { allowed: true };
  const [, alter, literal] = ALTER_USER.exec(text) ?? [];
  if (alter !== undefined && literal !== undefined) return judgePassword(alter, literal.replaceAll("''", "'"));
  if (!/^select\b/i.test(text)) return refused('there is no such statement');
  if (/::|\[|\barray\b|\bfilter\b|\blateral\b/i.test(bare)) return refused('there is no such expression');
  const calls = Array.from(bare.matchAll(/([a-z_]\w*)\s*\(/gi), ([, name = '']) => name.toLowerCase());
  const unknown = calls.find((name) => !FUNCTIONS.includes(name) && !WORDS.includes(name));
  if (unknown !== undefined) return refused(`function ${unknown} does not exist`);
  const names = Array.from(bare.matchAll(/\b(?:pg|stl|stv|svv|svl|sys)_\w+/gi), ([name]) => name.toLowerCase());
  const missing = names.find((name) => !RELATIONS.includes(name) && !FUNCTIONS.includes(name));
  return missing === undefined ? { allowed: true } : refused(`relation ${missing} does not exist`);
}

function judgePassword(alter: string, password: string): Verdict {
  if (/^md5[\da-f]{32}$/.test(password))
    return { allowed: true, password: { alter, given: { kind: 'md5', stored: password } } };
  if (password.startsWith('sha256|')) return refused('the stand-in takes sha256 from its tests only');
  const right =
    /^[!-~]{8,64}$/.test(password) &&
    !/['"\\/@]/.test(password) &&
    [/[A-Z]/, /[a-z]/, /\d/].every((type) => type.test(password));
  if (!right) return refused('password must be 8 to 64 characters, with upper case, lower case and a number');
  return { allowed: true, password: { alter, given: { kind: 'clear', text: password } } };
}

/** A message's statements; a semicolon in quotes ends none. */
export function statementsOf(sql: string): string[] {
  const parts = sql.match(/(?:'(?:[^']|'')*'|"(?:[^"]|"")*"|[^;'"]|['"])+/g) ?? [];
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}
