import { UpdateSecretVersionStageCommand } from '@aws-sdk/client-secrets-manager';
import type { Command } from 'commander';
import { Deadline } from '../../shared/deadline.ts';
import { RotationError } from '../../shared/errors.ts';
import type { Environment } from '../../shared/lambda/config.ts';
import { labelMoved } from '../../shared/rotation/credential-errors.ts';
import type { Credential } from '../../shared/rotation/ports.ts';
import { setEarlier } from '../../shared/rotation/set-earlier.ts';
import { versionWith } from '../../shared/rotation/version-stage.ts';
import { parseDatabaseSecret } from '../../shared/secret/database-secret.ts';
import { bold, green, shortId } from '../../shared/terminal/text.ts';
import type { Context } from '../context.ts';
import { databaseFromHere, LOGIN_PATIENCE_MS } from '../database-from-here.ts';
import { labelsOf } from '../doctor/reading.ts';
import { judgementOf } from '../doctor/secret-checks.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { asking, CommandError, refused } from '../failures.ts';
import { describeFunction, strategyOf } from '../functions.ts';
import { loginName, tryLogin } from '../login.ts';
import { caFileOption, type Runner } from '../options.ts';
import { planRollback } from '../rollback/plan.ts';
import { type DescribedSecret, describeSecret, needPrimary, placeOfArn, readVersion } from '../secrets.ts';

const EXAMPLES = `
Examples:
  $ rotation rollback prod/shop
  $ rotation rollback prod/shop --yes --json

Goes back to AWSPREVIOUS only where a login proves that applications get in with it. Where one user has but one password
(single user), AWSCURRENT's session first sets the previous one, and puts its own back where that does not log in.`;

interface RollbackOptions {
  readonly yes?: true;
  readonly caFile?: string;
}

export function addRollback(program: Command, run: Runner): void {
  program
    .command('rollback')
    .summary('go back to the previous login')
    .description('Makes AWSPREVIOUS current again, after a login has proven it.')
    .argument('<secret>', 'name or ARN')
    .option('--yes', 'do not ask')
    .addOption(caFileOption('logins'))
    .addHelpText('after', EXAMPLES)
    .action(run((context, secret: string, options: RollbackOptions) => rollback(context, secret, options)));
}

async function rollback(context: Context, id: string, options: RollbackOptions): Promise<ExitCode> {
  const { output, prompts } = context;
  output.busy('looking …');
  const secret = await describeSecret(context, id);
  needPrimary(secret, 'rollback');
  const current = await read(context, secret, 'AWSCURRENT');
  const previous = await read(context, secret, 'AWSPREVIOUS');
  const strategy =
    strategyOf(secret.RotationLambdaARN) ??
    (current.secret.superuserSecretArn === undefined ? 'single-user' : 'alternating-users');
  const environment = await environmentOf(context, secret);
  const login = { caFile: options.caFile, environment };
  const proof = await tryLogin(previous.secret, { ...login, source: 'previous', strategy });
  const isSameUser = current.secret.username === previous.secret.username;
  const currentProof =
    proof.outcome === 'refused' && isSameUser
      ? await tryLogin(current.secret, { ...login, source: 'current', strategy })
      : undefined;
  const pending = judgementOf(await labelsOf(context, secret), new Date());
  const facts = { name: secret.Name, strategy, current: current.secret, previous: previous.secret };
  const plan = planRollback({ ...facts, pending, proof, currentProof });
  output.busy(undefined);
  if (plan.way === 'refused') throw plan.error;

  output.line(`${bold(secret.Name)} in ${placeOfArn(secret.ARN)}:`);
  output.line(`  from  ${loginName(current.secret)}, version ${shortId(current.versionId)}`);
  output.line(`  to    ${loginName(previous.secret)}, version ${shortId(previous.versionId)}`);
  const what = plan.way === 'set-password' ? "Set AWSPREVIOUS's password and make it" : 'Make AWSPREVIOUS';
  if (!(await prompts.agree(`${what} current?`, options.yes === true))) {
    output.line('Nothing was changed.');
    return EXIT.refused;
  }
  output.busy('rolling back …');
  await takePendingOff(context, secret);
  if (plan.way === 'set-password') await setAndMove(context, secret, { current, previous, ...login });
  else await moveCurrent(context, secret, { current, previous });
  output.busy(undefined);
  output.line(`${green('Rolled back')} ${bold(secret.Name)}: the server accepts ${loginName(previous.secret)}.`);
  output.line('The next rotation makes a new password, as ever.');
  const { versionId } = previous;
  output.result({ secret: secret.Name, arn: secret.ARN, outcome: 'rolled-back', way: plan.way, versionId });
  return EXIT.done;
}

/** @throws CommandError where there is no such version, or none that holds a login. */
async function read(context: Context, { ARN, Name }: DescribedSecret, stage: string): Promise<Credential> {
  const version = await readVersion(context, ARN, { VersionStage: stage });
  if (version === undefined) {
    const remedy = `See what there is: aws secretsmanager list-secret-version-ids --secret-id ${ARN}`;
    throw refused('VERSION_MISSING', `${Name} must have an ${stage} with a value, and it has none.`, remedy);
  }
  const source = stage === 'AWSCURRENT' ? 'current' : 'previous';
  try {
    return { source, versionId: version.versionId, secret: parseDatabaseSecret(version.text) };
  } catch (error) {
    throw error instanceof RotationError ? error.with({ secretArn: ARN }) : error;
  }
}

/** Of the function: it says how to log in. None where Lambda does not tell. */
async function environmentOf(context: Context, { RotationLambdaARN: arn }: DescribedSecret): Promise<Environment> {
  if (arn === undefined) return {};
  const described = await describeFunction(context, arn).catch((error: unknown) => {
    if (error instanceof CommandError) return undefined;
    throw error;
  });
  return described?.configuration.Environment?.Variables ?? {};
}

/** Left where it is, it would be on a version that no rotation may set again, or have the next rotation begin with it. */
async function takePendingOff({ aws }: Context, { ARN, stages }: DescribedSecret): Promise<void> {
  const pending = versionWith(stages, 'AWSPENDING');
  if (pending === undefined) return;
  const which = { SecretId: ARN, VersionStage: 'AWSPENDING', RemoveFromVersionId: pending };
  const call = aws.secretsManager.send(new UpdateSecretVersionStageCommand(which));
  await asking('secretsmanager:UpdateSecretVersionStage', call);
}

interface Versions {
  readonly current: Credential;
  readonly previous: Credential;
}

/** AWSPREVIOUS follows by itself, to the version that AWSCURRENT leaves. */
async function moveCurrent({ aws }: Context, { ARN }: DescribedSecret, { current, previous }: Versions): Promise<void> {
  const command = new UpdateSecretVersionStageCommand({
    SecretId: ARN,
    VersionStage: 'AWSCURRENT',
    RemoveFromVersionId: current.versionId,
    MoveToVersionId: previous.versionId,
  });
  await asking('secretsmanager:UpdateSecretVersionStage', aws.secretsManager.send(command));
}

interface SetOptions extends Versions {
  readonly caFile: string | undefined;
  readonly environment: Environment;
}

/** The password first, then the label; where that can't be moved, the password goes back. */
async function setAndMove(context: Context, secret: DescribedSecret, options: SetOptions): Promise<void> {
  const { current, previous, caFile: file, environment } = options;
  const set = async (from: Credential, to: Credential) => {
    await setEarlier({
      from,
      to,
      database: databaseFromHere(file, environment),
      deadline: new Deadline(LOGIN_PATIENCE_MS),
      async guard() {
        const { stages } = await describeSecret(context, secret.ARN);
        const isAsSeen =
          versionWith(stages, 'AWSCURRENT') === current.versionId && versionWith(stages, 'AWSPENDING') === undefined;
        if (!isAsSeen) throw labelMoved();
        return 'proceed';
      },
    });
  };
  try {
    await set(current, previous);
  } catch (error) {
    if (!(error instanceof RotationError)) throw error;
    const { code, message, remedy } = error.with({ secretArn: secret.ARN });
    const exitCode = code === 'PASSWORD_NOT_PUT_BACK' ? EXIT.unwell : EXIT.refused;
    throw new CommandError(code, message, { exitCode, remedy });
  }
  try {
    await moveCurrent(context, secret, options);
  } catch (error) {
    // Whether the label was moved is not known where there was no answer: the guard of the way back looks.
    await set(previous, current);
    throw error;
  }
}
