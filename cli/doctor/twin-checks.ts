/** Checks what alternating users need: the superuser secret, its login, and what it may do with the two roles. */
import { secretStore } from '../../shared/aws/secret-store.ts';
import { superuserSecrets } from '../../shared/aws/superuser-secret.ts';
import { Deadline } from '../../shared/deadline.ts';
import { RotationError } from '../../shared/errors.ts';
import type { Environment } from '../../shared/lambda/config.ts';
import { alternatingUsers } from '../../shared/rotation/alternating-users.ts';
import type { Credential, SuperuserSecrets } from '../../shared/rotation/ports.ts';
import type { StrategyContext } from '../../shared/rotation/strategy.ts';
import { earlierCredentials } from '../../shared/rotation/version-read.ts';
import type { DatabaseSecret } from '../../shared/secret/database-secret.ts';
import type { Context } from '../context.ts';
import { databaseFromHere, isOnlyFromHere, loginName } from '../login.ts';
import { broken, type Finding, ok, unknown, warning } from './finding.ts';

const PATIENCE_MS = 15_000;

export interface TwinFacts {
  readonly current: DatabaseSecret;
  readonly secretArn: string;
  /** Of the function. */
  readonly environment: Environment;
  readonly caFile: string | undefined;
  /** Whether AWSCURRENT's login works, without which nothing is asked of the superuser. */
  readonly currentWorks: boolean;
}

/** Whether the superuser secret can be read and is for the same server; no login is made. */
export async function checkSuperuserSecret(context: Context, secret: DatabaseSecret, secretArn: string) {
  const superusers = superuserSecrets(context.aws.secretsManager, new Deadline(PATIENCE_MS));
  const current: Credential = { source: 'current', versionId: '', secret };
  try {
    const superuser = await superusers.read(current);
    const finding = ok('superuser secret', `it holds ${loginName(superuser.secret)}, on the same server`);
    return { finding, superusers, current, superuser };
  } catch (error) {
    return { finding: judge('superuser secret', error, secretArn), superusers, current, superuser: undefined };
  }
}

/** The function's own code decides; nothing is changed. */
export async function checkTwin(context: Context, facts: TwinFacts): Promise<Finding[]> {
  const {
    finding: found,
    superusers,
    current,
    superuser,
  } = await checkSuperuserSecret(context, facts.current, facts.secretArn);
  if (superuser === undefined) return [found];
  if (!facts.currentWorks) return [found, unknown('twin', "AWSCURRENT's login comes first, and it was not accepted")];
  return [found, await planNextTurn(context, current, superuser, superusers, facts)];
}

async function planNextTurn(
  context: Context,
  current: Credential,
  superuser: Credential,
  superusers: SuperuserSecrets,
  { caFile, secretArn, environment }: TwinFacts,
): Promise<Finding> {
  try {
    const deadline = new Deadline(PATIENCE_MS);
    const store = secretStore(context.aws.secretsManager, { secretId: secretArn, token: '' }, deadline);
    const { withLogin, tryPassword } = databaseFromHere(caFile, environment);
    const proven = { get: () => undefined, add: () => undefined, remove: () => undefined };
    const earlier = earlierCredentials(store, '', () => Promise.resolve());
    const strategy: StrategyContext = { withLogin, tryPassword, deadline, superusers, proven, earlier };
    const next = await alternatingUsers.nextUsername(current, strategy);
    const now = current.secret.username;
    const [base, twin] = next.length > now.length ? [now, next] : [next, now];
    const outcome = await withLogin(superuser, (roles) =>
      // nextUsername has proven it, if it had to be proven by a login.
      roles.twins.preview({
        base,
        twin,
        username: next,
        database: current.secret.dbname,
        proven: () => Promise.resolve(true),
      }),
    );
    if (!outcome.accepted) {
      const remedy = 'Rotate or correct the superuser secret that "masterarn" names.';
      return broken('twin', `the server refuses the password of ${loginName(superuser.secret)}`, remedy);
    }
    const { exists, statements, actsAsItself } = outcome.value;
    if (actsAsItself) {
      const what = `${twin} owns objects, so it acts as itself and not as ${base}`;
      return warning(
        'twin',
        what,
        `Hand them over: rotation adopt-clone --base ${shellWord(base)} --clone ${shellWord(twin)} (docs/adopting-aws-clones.md).`,
      );
    }
    const what = exists ? `${statements} of its settings will be brought in line` : 'it will be created';
    return ok(
      'twin',
      `${superuser.secret.username} may set the password of ${next}${statements > 0 ? `; ${what}` : ''}`,
    );
  } catch (error) {
    return judge('twin', error, secretArn);
  }
}

function judge(check: string, thrown: unknown, secretArn: string): Finding {
  if (!(thrown instanceof RotationError)) throw thrown;
  const error = thrown.with({ secretArn });
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

/** One word of a shell's command line, whatever is in it. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
