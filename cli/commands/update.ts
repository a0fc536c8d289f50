import { randomUUID } from 'node:crypto';
import { PutSecretValueCommand, UpdateSecretVersionStageCommand } from '@aws-sdk/client-secrets-manager';
import { type Command, Option } from 'commander';
import { copiesIn, rewrittenCopies } from '../../shared/secret/copies.ts';
import { type DatabaseSecret, parseDatabaseSecret } from '../../shared/secret/database-secret.ts';
import { setMembers } from '../../shared/secret/json-text.ts';
import type { Password } from '../../shared/secret/password.ts';
import { bold, green, shortId } from '../../shared/terminal/text.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { asking, refused, usage } from '../failures.ts';
import { caFileOption, from1to, type Runner, secretArn } from '../options.ts';
import { parseLogin, proveLogin } from '../proven-login.ts';
import { type DescribedSecret, describeSecret, pendingVersion, placeOfArn, readVersion } from '../secrets.ts';

const EXAMPLES = `
Examples:
  $ rotation update prod/shop --host db2.example.com
  $ rotation update prod/shop --password            asks for it, and does not show it
  $ pass show shop | rotation update prod/shop --password-stdin --yes

Changes what the secret says, not the database. A login proves it before it becomes AWSCURRENT.`;

interface UpdateOptions {
  readonly host?: string;
  readonly port?: number;
  readonly dbname?: string;
  readonly username?: string;
  readonly ssl?: 'true' | 'false';
  readonly superuserSecret?: string;
  readonly password?: true;
  readonly passwordStdin?: true;
  readonly login: boolean;
  readonly caFile?: string;
  readonly yes?: true;
}

export function addUpdate(program: Command, run: Runner): void {
  program
    .command('update')
    .summary('change what a stored login says')
    .description('Changes members of a stored login, after a login has proven them. Other members stay as they are.')
    .argument('<secret>', 'name or ARN')
    .option('--host <host>', 'DNS name or address of the server')
    .option('--port <port>', 'its port', from1to(65_535))
    .option('--dbname <database>', 'the database to log in to')
    .option('--username <user>', 'the role to log in as')
    .addOption(new Option('--ssl <boolean>', '"false" for plain text').choices(['true', 'false']))
    .option('--superuser-secret <arn>', 'the secret of an administrator (masterarn)', secretArn)
    .option('--password', 'ask for the password that the database has')
    .option('--password-stdin', 'or read it from stdin')
    .option('--no-login', 'store it without the proof of a login from here')
    .addOption(caFileOption())
    .option('--yes', 'do not ask')
    .addHelpText('after', EXAMPLES)
    .action(run((context, id: string, options: UpdateOptions) => update(context, id, options)));
}

async function update(context: Context, id: string, options: UpdateOptions): Promise<ExitCode> {
  const { output, prompts } = context;
  output.busy('reading …');
  const secret = await describeSecret(context, id);
  refuseRotating(secret);
  const version = await readVersion(context, secret.ARN, { VersionStage: 'AWSCURRENT' });
  output.busy(undefined);
  if (version === undefined) throw refused('NO_SUCH_VERSION', `${secret.Name} must have a value, and it has none.`);
  const { text: source = '{}' } = version;
  const before = parseDatabaseSecret(version.text);
  const server = serverOf(options);
  // Before anybody types a password for nothing.
  loginWith(source, server);
  const password = await passwordOf(context, options, before.username);
  const members: Changed = password === undefined ? server : { ...server, password: password.reveal() };
  if (Object.keys(members).length === 0) throw usage('Something to change was needed, such as --host, found nothing.');
  const { text, after, copies } = edited(source, before, members);
  const otherPassword = 'Give the one that the database has: --password';
  if (options.login) await proveLogin(context, after, { caFile: options.caFile, otherPassword });

  output.line(`${bold(secret.Name)} (${placeOfArn(secret.ARN)})`);
  for (const line of [...changes(before, after, 'password' in members), ...toldOf(before, after, copies)])
    output.line(`  ${line}`);
  if (!(await prompts.agree(`Store this as AWSCURRENT of ${secret.Name}?`, options.yes === true))) {
    output.line('Nothing was changed.');
    return EXIT.refused;
  }
  const versionId = await store(context, secret, version.versionId, text);
  output.line(
    `${green('Stored')} as version ${shortId(versionId)}. Applications see it when they read the secret again.`,
  );
  const { Name, ARN } = secret;
  output.result({
    secret: Name,
    arn: ARN,
    versionId,
    changed: [...new Set([...Object.keys(members), ...copies.keys()])],
    login: options.login ? 'accepted' : 'not-tried',
  });
  return EXIT.done;
}

/** A value that is stored in the middle of a rotation is overtaken by it. */
function refuseRotating(secret: DescribedSecret): void {
  const pending = pendingVersion(secret);
  if (pending === undefined) return;
  throw refused(
    'ROTATING',
    `No rotation of ${secret.Name} may be under way, and AWSPENDING is on version ${shortId(pending)}.`,
    `Wait until it is done, or clear it away: rotation doctor ${secret.Name} --fix`,
  );
}

async function passwordOf(
  { prompts }: Context,
  options: UpdateOptions,
  username: string,
): Promise<Password | undefined> {
  if (options.password && options.passwordStdin) throw usage('--password or --password-stdin was needed, found both.');
  if (options.passwordStdin) return await prompts.passwordFromStdin();
  if (!options.password) return undefined;
  if (!prompts.interactive) {
    throw usage('There is no terminal to ask for the password on.', 'Give it on stdin, with --password-stdin.');
  }
  return await prompts.password(`Password of ${options.username ?? username} (not shown):`);
}

/** What is to be otherwise, by the secret's own keys. */
type Changed = Readonly<Record<string, string | number | boolean>>;

/** All of that but the password. */
function serverOf({ host, port, dbname, username, ssl, superuserSecret }: UpdateOptions): Changed {
  return {
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
    ...(dbname !== undefined && { dbname }),
    ...(username !== undefined && { username }),
    ...(ssl !== undefined && { ssl: ssl === 'true' }),
    ...(superuserSecret !== undefined && { masterarn: superuserSecret }),
  };
}

/** What the text tells with these. @throws CommandError that names the option to correct. */
const loginWith = (source: string, members: Changed) =>
  parseLogin(setMembers(source, new Map(Object.entries(members))));

/** The same text, in which nothing else is changed but copies of the login, which would be left with the former one. */
function edited(source: string, before: DatabaseSecret, members: Changed) {
  const named = loginWith(source, members);
  const isSame = named.username === before.username && named.password.reveal() === before.password.reveal();
  const copies = isSame
    ? new Map<string, string>()
    : rewrittenCopies(before, named.username, named.password, copiesIn(before));
  const text = setMembers(source, new Map([...copies, ...Object.entries(members)]));
  return { text, after: parseDatabaseSecret(text), copies };
}

function changes(before: DatabaseSecret, after: DatabaseSecret, password: boolean): string[] {
  const keys = ['host', 'port', 'dbname', 'username', 'ssl', 'superuserSecretArn'] as const;
  const changed = keys.filter((key) => before[key] !== after[key]);
  const lines = changed.map((key) => `${key}: ${before[key] ?? 'none'} → ${after[key] ?? 'none'}`);
  return password ? [...lines, 'password: another one'] : lines;
}

/** Copies of the login in other members, and what they will not follow. */
function toldOf(before: DatabaseSecret, after: DatabaseSecret, copies: ReadonlyMap<string, string>): string[] {
  const lines = [...copies.keys()].map((key) => `${key}: this user and password too`);
  const moved = (['host', 'port', 'dbname'] as const).some((key) => before[key] !== after[key]);
  const strings = copiesIn(before).filter((key) => before.rest()[key] !== before.password.reveal());
  if (moved)
    lines.push(...strings.map((key) => `${key}: its server and database stay as they are; correct it by hand`));
  return lines;
}

/**
 * The value gets a label of its own first; then AWSCURRENT is moved from the version that was read, and from no other.
 *
 * @returns the new version.
 * @throws CommandError where AWSCURRENT has been moved meanwhile; then nothing is changed.
 */
async function store({ aws }: Context, { ARN, Name }: DescribedSecret, from: string, text: string): Promise<string> {
  const client = aws.secretsManager;
  const label = `rotation-update-${randomUUID()}`;
  const put = new PutSecretValueCommand({
    SecretId: ARN,
    SecretString: text,
    ClientRequestToken: randomUUID(),
    VersionStages: [label],
  });
  const { VersionId = '' } = await asking(`secretsmanager:PutSecretValue of ${Name}`, client.send(put));
  const operation = `secretsmanager:UpdateSecretVersionStage of ${Name}`;
  try {
    const move = { VersionStage: 'AWSCURRENT', MoveToVersionId: VersionId, RemoveFromVersionId: from };
    await asking(operation, client.send(new UpdateSecretVersionStageCommand({ SecretId: ARN, ...move })));
  } finally {
    const off = { VersionStage: label, RemoveFromVersionId: VersionId };
    await asking(operation, client.send(new UpdateSecretVersionStageCommand({ SecretId: ARN, ...off })));
  }
  return VersionId;
}
