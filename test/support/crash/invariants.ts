import type { Client } from 'pg';
import { waitFor } from '../../../scripts/lab/database/wait.ts';
import { scramVerifier } from '../../../shared/database/password-hash.ts';
import type { StrategyName } from '../../../shared/rotation/strategy.ts';
import type { StoredLogin, Subject } from './subject.ts';

interface RoleRow {
  readonly name: string;
  readonly verifier: string | null;
  readonly mayLogin: boolean;
  /** A member of the base role that acts as it; null for the base role itself. */
  readonly linked: boolean | null;
}

const ROLES = `
  SELECT r.rolname AS name, r.rolpassword AS verifier,
         r.rolcanlogin AND r.rolconnlimit <> 0 AND coalesce(r.rolvaliduntil > now(), true) AS "mayLogin",
         CASE WHEN base.oid IS NULL THEN NULL
              ELSE EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = base.oid AND m.member = r.oid)
               AND EXISTS (SELECT FROM pg_db_role_setting s
                            WHERE s.setrole = r.oid AND s.setdatabase = 0 AND 'role=' || base.rolname = ANY (s.setconfig))
         END AS linked
    FROM pg_authid r LEFT JOIN pg_roles base ON base.rolname || '_clone' = r.rolname
   WHERE r.rolname = ANY ($1)`;

const LEFT_BEHIND = `
  SELECT 'a session' AS what FROM pg_stat_activity WHERE usename = ANY ($1)
  UNION ALL
  SELECT 'an advisory lock' FROM pg_locks, unnest($1) AS role
   WHERE locktype = 'advisory'
     AND (classid::bigint << 32 | objid::bigint) = hashtextextended('postgres-secret-rotation:' || role, 0)
  UNION ALL
  SELECT 'a temporary table' FROM pg_class
   WHERE relpersistence = 't' AND pg_get_userbyid(relowner) = ANY ($1)`;

/**
 * What must hold at every moment of a rotation, between any two messages. Passwords are checked against the verifiers
 * that the server has, by computing them, so that it takes no login and can be asked often.
 *
 * @param setByHand logins that a DBA made, which need not be in any version.
 * @returns what is wrong, in words that name no secret.
 */
export async function violations(
  subject: Subject,
  strategy: StrategyName,
  admin: Client,
  setByHand: readonly StoredLogin[] = [],
): Promise<string[]> {
  const { rows: roles } = await admin.query<RoleRow>(ROLES, [subject.roles]);
  const logins = [...(await subject.logins()), ...setByHand];
  const wrong: string[] = [];
  for (const role of roles) {
    const itsOwn = logins.filter(({ username }) => username === role.name);
    if (role.verifier !== null && !(await anyOpens(itsOwn, role.verifier)))
      wrong.push(`the database accepts a password of ${role.name} that is in no version`);
    if (role.linked === false) wrong.push(`the twin ${role.name} is half made`);
  }
  const current = await subject.current();
  if (strategy === 'alternating-users' && !(await opens(current, roles)))
    wrong.push(`AWSCURRENT does not log ${current.username} in`);
  return wrong;
}

/** What must hold once a rotation has converged, besides. */
export async function violationsAtEnd(
  subject: Subject,
  strategy: StrategyName,
  admin: Client,
  token: string,
): Promise<string[]> {
  const wrong = await violations(subject, strategy, admin);
  const { rows: roles } = await admin.query<RoleRow>(ROLES, [subject.roles]);
  const current = await subject.current();
  if (!(await opens(current, roles))) wrong.push(`AWSCURRENT does not log ${current.username} in`);
  if ((await subject.labels()).AWSCURRENT !== token) wrong.push('AWSCURRENT is not on the new version');
  return [...wrong, ...(await leftBehind(subject, admin))];
}

/** Sessions, locks and temporary tables of the subject's roles; what is just ending gets its time. */
async function leftBehind(subject: Subject, admin: Client): Promise<string[]> {
  const find = async () => (await admin.query<{ what: string }>(LEFT_BEHIND, [subject.sessionsOf])).rows;
  const none = async () => ((await find()).length === 0 ? true : undefined);
  const gone = await waitFor('nothing to be left', none, { timeoutMs: 15_000, intervalMs: 5 }).catch(() => false);
  return gone ? [] : (await find()).map(({ what }) => `${what} is left behind`);
}

/** Whether the login works right now. */
export async function opensNow(login: StoredLogin, admin: Client): Promise<boolean> {
  const { rows } = await admin.query<RoleRow>(ROLES, [[login.username]]);
  return await opens(login, rows);
}

async function opens(login: StoredLogin, roles: readonly RoleRow[]): Promise<boolean> {
  const role = roles.find(({ name }) => name === login.username);
  return role?.mayLogin === true && role.verifier !== null && (await anyOpens([login], role.verifier));
}

const known = new Map<string, Promise<string>>();

/** Whether one of the passwords is what this verifier was made of. */
async function anyOpens(logins: readonly StoredLogin[], verifier: string): Promise<boolean> {
  const [, iterations = '', salt = ''] = /^SCRAM-SHA-256\$(\d+):([^$]+)\$/.exec(verifier) ?? [];
  if (salt === '') throw new Error('A SCRAM-SHA-256 verifier was expected in pg_authid, and another kind was found.');
  for (const { password } of logins) {
    const key = `${iterations} ${salt} ${password}`;
    const computed = known.get(key) ?? scramVerifier(password, Buffer.from(salt, 'base64'), Number(iterations));
    known.set(key, computed);
    if ((await computed) === verifier) return true;
  }
  return false;
}
