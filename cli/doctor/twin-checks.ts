/** Checks what alternating users need: the superuser secret, its login, and what it may do with the two roles. */
import { rdsServers } from '../../shared/aws/rds-servers.ts';
import { secretReader } from '../../shared/aws/secret-store.ts';
import { superuserSecrets } from '../../shared/aws/superuser-secret.ts';
import { Deadline } from '../../shared/deadline.ts';
import { RotationError } from '../../shared/errors.ts';
import type { Environment } from '../../shared/lambda/config.ts';
import type { Administrator, Credential, SuperuserSecrets } from '../../shared/rotation/ports.ts';
import { type NextTurn, previewTurn } from '../../shared/rotation/preview-turn.ts';
import type { DatabaseSecret } from '../../shared/secret/database-secret.ts';
import { Password } from '../../shared/secret/password.ts';
import type { Context } from '../context.ts';
import { databaseFromHere } from '../database-from-here.ts';
import { isOnlyFromHere, loginName } from '../login.ts';
import { broken, type Check, type Finding, ok, unknown, warning } from './finding.ts';
import { checkIamLogin } from './iam-checks.ts';

const PATIENCE_MS = 15_000;

export interface TwinFacts {
  readonly current: DatabaseSecret;
  readonly secretArn: string;
  /** Of the function. */
  readonly environment: Environment;
  readonly caFile: string | undefined;
  /** Of the function; undefined where Lambda does not tell. */
  readonly roleArn: string | undefined;
  /** Whether AWSCURRENT's login works, without which nothing is asked of the superuser. */
  readonly currentWorks: boolean;
}

/** Whether the superuser secret can be read and is for the same server; no login is made. */
export async function checkSuperuserSecret(context: Context, secret: DatabaseSecret, secretArn: string) {
  const { secretsManager, settings } = context.aws;
  const deadline = new Deadline(PATIENCE_MS);
  const rds = rdsServers(({ RDSClient }) => new RDSClient(settings), deadline);
  const superusers = superuserSecrets(secretsManager, deadline, rds);
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
  const findings = [found];
  if (!(superuser.secret.password instanceof Password)) {
    const { currentWorks, roleArn, environment, caFile } = facts;
    const login = currentWorks ? facts.current : undefined;
    const administrator = superuser.secret;
    findings.push(...(await checkIamLogin(context, { administrator, current: login, roleArn, environment, caFile })));
  }
  if (!facts.currentWorks)
    return [...findings, unknown('twin', "AWSCURRENT's login comes first, and it was not accepted")];
  return [...findings, await planNextTurn(context, current, superuser, superusers, facts)];
}

async function planNextTurn(
  context: Context,
  current: Credential,
  superuser: Administrator,
  superusers: SuperuserSecrets,
  { caFile, secretArn, environment }: TwinFacts,
): Promise<Finding> {
  const deadline = new Deadline(PATIENCE_MS);
  try {
    const outcome = await previewTurn(current, superuser, {
      database: databaseFromHere(caFile, environment),
      superusers,
      versions: secretReader(context.aws.secretsManager, secretArn, deadline),
      deadline,
    });
    if (outcome.accepted) return judgeTurn(outcome.value, superuser);
    const remedy = 'Rotate or correct the superuser secret that "masterarn" names.';
    return broken('twin', `the server refuses the password of ${loginName(superuser.secret)}`, remedy);
  } catch (error) {
    return judge('twin', error, secretArn);
  }
}

function judgeTurn(
  { base, twin, username, exists, statements, actsAsItself }: NextTurn,
  superuser: Administrator,
): Finding {
  if (actsAsItself) {
    return warning(
      'twin',
      `${twin} owns objects, so it acts as itself and not as ${base}`,
      `Hand them over: rotation adopt-clone --base ${shellWord(base)} --clone ${shellWord(twin)} (docs/adopting-aws-clones.md).`,
    );
  }
  const what = exists ? `${statements} of its settings will be brought in line` : 'it will be created';
  const more = statements > 0 ? `; ${what}` : '';
  return ok('twin', `${superuser.secret.username} may set the password of ${username}${more}`);
}

function judge(check: Check, thrown: unknown, secretArn: string): Finding {
  if (!(thrown instanceof RotationError)) throw thrown;
  const error = thrown.with({ secretArn });
  if (isOnlyFromHere(error)) return unknown(check, `no login from this machine now (${error.code})`);
  if (isOwnCall(error)) return unknown(check, `${error.message} (asked with the credentials of this machine)`);
  return broken(check, error.message, error.remedy);
}

/** Made with the operator's credentials: what is refused to them may well be allowed to the function. */
function isOwnCall({ code, facts }: RotationError): boolean {
  // The token was made of them too: the function's own is judged by what IAM and RDS say.
  if (/^IAM_|^RDS_|^SECRETS_MANAGER_|^SECRET_(ACCESS_DENIED|KEY_UNUSABLE)$/.test(code)) return true;
  // RDS's refusal has a reason; what RDS does not know has none.
  return code === 'SUPERUSER_SECRET_UNUSABLE' && facts.reason !== undefined;
}

/** One word of a shell's command line, whatever is in it. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
