/** Checks what alternating users need: the superuser secret, its login, and what it may do with the two roles. */
import { readConfig } from '../../../shared/config.ts';
import { withSession } from '../../../shared/database/session.ts';
import { tlsPolicy, trustStore } from '../../../shared/database/tls.ts';
import { planTwin } from '../../../shared/database/twin-plan.ts';
import { readTwinState } from '../../../shared/database/twin-state.ts';
import { Deadline } from '../../../shared/deadline.ts';
import { alternatingUsers } from '../../../shared/rotation/alternating-users.ts';
import { RotationError } from '../../../shared/rotation/errors.ts';
import type { Credential, SuperuserSecrets } from '../../../shared/rotation/strategy.ts';
import type { DatabaseSecret } from '../../../shared/secrets/database-secret.ts';
import { superuserSecrets } from '../../../shared/secrets/superuser-secret.ts';
import type { Context } from '../context.ts';
import { databaseFromHere, isOnlyFromHere, loginName } from '../login.ts';
import { broken, type Finding, ok, unknown } from './finding.ts';

const PATIENCE_MS = 15_000;

export interface TwinFacts {
  readonly current: DatabaseSecret;
  /** Of the function: whether the twin acts as the base role. */
  readonly setRole: boolean;
  readonly caFile: string | undefined;
  /** Whether AWSCURRENT's login works, without which nothing is asked of the superuser. */
  readonly currentWorks: boolean;
}

/** Whether the superuser secret can be read and is for the same server; no login is made. */
export async function checkSuperuserSecret(context: Context, secret: DatabaseSecret) {
  const superusers = superuserSecrets(context.aws.secretsManager, new Deadline(PATIENCE_MS));
  const current: Credential = { label: 'current', versionId: '', secret };
  try {
    const superuser = await superusers.read(current);
    const finding = ok('superuser secret', `it holds ${loginName(superuser.secret)}, on the same server`);
    return { finding, superusers, current, superuser };
  } catch (error) {
    return { finding: judge('superuser secret', error), superusers, current, superuser: undefined };
  }
}

/** The function's own code decides; nothing is changed. */
export async function checkTwin(context: Context, facts: TwinFacts): Promise<Finding[]> {
  const { finding: found, superusers, current, superuser } = await checkSuperuserSecret(context, facts.current);
  if (superuser === undefined) return [found];
  if (!facts.currentWorks) return [found, unknown('twin', "AWSCURRENT's login comes first, and it was not accepted")];
  return [found, await planNextTurn(current, superuser, superusers, facts)];
}

async function planNextTurn(
  current: Credential,
  superuser: Credential,
  superusers: SuperuserSecrets,
  { caFile, setRole }: TwinFacts,
): Promise<Finding> {
  try {
    const { withLogin } = databaseFromHere(caFile);
    const proven = { get: () => undefined, add: () => undefined };
    const next = await alternatingUsers.nextUsername(current, { withLogin, superusers, proven });
    const now = current.secret.username;
    const [base, twin] = next.length > now.length ? [now, next] : [next, now];
    const login = sessionLogin(superuser.secret);
    const config = readConfig({ DB_CA_FILE: caFile });
    const settings = { deadline: new Deadline(PATIENCE_MS), trust: trustStore(config.caFiles) };
    const outcome = await withSession(login, settings, async (session) => {
      const [row] = await session.query<{ version: number }>(
        `SELECT current_setting('server_version_num')::int / 10000 AS version`,
      );
      const version = row?.version ?? 0;
      const state = await readTwinState(session, base, twin, version);
      const change = { base, twin, username: next };
      return { exists: state.twin !== null, statements: planTwin(state, change, { setRole, version }) };
    });
    if (!outcome.accepted) {
      const remedy = 'Rotate or correct the superuser secret that "masterarn" names.';
      return broken('twin', `the server refuses the password of ${loginName(superuser.secret)}`, remedy);
    }
    const { exists, statements } = outcome.value;
    const what = exists ? `${statements.length} of its settings will be brought in line` : 'it will be created';
    return ok(
      'twin',
      `${superuser.secret.username} may set the password of ${next}${statements.length > 0 ? `; ${what}` : ''}`,
    );
  } catch (error) {
    return judge('twin', error);
  }
}

function sessionLogin({ host, port, username, password, dbname, ssl }: DatabaseSecret) {
  return { host, port, username, password, database: dbname, tls: tlsPolicy(ssl, false) };
}

function judge(check: string, error: unknown): Finding {
  if (!(error instanceof RotationError)) throw error;
  if (isOnlyFromHere(error)) return unknown(check, `no login from this machine now (${error.code})`);
  if (isOwnCall(error)) return unknown(check, `${error.message} (asked with the credentials of this machine)`);
  return broken(check, error.message, error.remedy);
}

/** Made with the operator's credentials: what is refused to them may well be allowed to the function. */
function isOwnCall({ code, facts }: RotationError): boolean {
  if (/^SECRETS_MANAGER_|^SECRET_(ACCESS_DENIED|KEY_UNUSABLE)$/.test(code)) return true;
  // RDS's refusal has a reason; what RDS does not know has none.
  return code === 'SUPERUSER_SECRET_UNUSABLE' && facts.reason !== undefined;
}
