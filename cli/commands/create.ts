import { CreateSecretCommand, DescribeSecretCommand } from '@aws-sdk/client-secrets-manager';
import { type Command, Option } from 'commander';
import { ENGINE_RULES, ENGINES, type Engine } from '../../shared/secret/database-secret.ts';
import type { Password } from '../../shared/secret/password.ts';
import { bold, green } from '../../shared/terminal/text.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { asking, awsError, refused, usage } from '../failures.ts';
import { loginName } from '../login.ts';
import { caFileOption, collect, from1to, type Runner, secretArn } from '../options.ts';
import { needServer, parseAdministrator, parseLogin, proveLogin } from '../proven-login.ts';

const EXAMPLES = `
Examples:
  $ rotation create prod/shop                                asks for all that is missing
  $ rotation create prod/shop --host db.example.com --username shop --dbname shop
  $ pass show shop | rotation create prod/shop --host db.example.com --username shop --password-stdin
  $ rotation create prod/shop --superuser-secret arn:aws:secretsmanager:…   for alternating users
  $ rotation create prod/rotator --iam --host orders.….rds.amazonaws.com --username rotator

The password comes from a prompt or from stdin, never from an argument. A login proves it before it is stored.`;

interface CreateOptions {
  readonly engine: Engine;
  readonly host?: string;
  readonly port?: number;
  readonly dbname?: string;
  readonly username?: string;
  readonly ssl?: 'true' | 'false';
  readonly iam?: true;
  readonly superuserSecret?: string;
  readonly passwordStdin?: true;
  readonly description?: string;
  readonly kmsKeyId?: string;
  readonly tag?: readonly string[];
  readonly replicaRegion?: readonly string[];
  readonly login: boolean;
  readonly caFile?: string;
}

export function addCreate(program: Command, run: Runner): void {
  program
    .command('create')
    .summary('store a database login as a secret')
    .description('Stores a database login as a secret, in the JSON that rotation functions read.')
    .argument('<name>', "the new secret's name")
    .addOption(new Option('--engine <engine>', 'the database').choices([...ENGINES]).default('postgres'))
    .option('--host <host>', 'DNS name or address of the server')
    .option('--port <port>', 'its port (default: 5432; of redshift 5439)', from1to(65_535))
    .option('--dbname <database>', 'the database to log in to (default: postgres; of redshift dev)')
    .option('--username <user>', 'the role to log in as')
    .addOption(
      new Option('--ssl <boolean>', '"false" for plain text; default: TLS, verified').choices(['true', 'false']),
    )
    .option('--superuser-secret <arn>', 'the secret of an administrator, for alternating users (masterarn)', secretArn)
    .option('--iam', 'an administrator that logs in by IAM, without a password')
    .option('--password-stdin', 'read the password from stdin')
    .option('--description <text>', 'of the secret')
    .option('--kms-key-id <key>', 'customer-managed key to encrypt it under')
    .option('--tag <key=value>', 'a tag; may be given several times', collect)
    .option('--replica-region <region[=key]>', 'a region to replicate it to; may be given several times', collect)
    .option('--no-login', 'store it without the proof of a login from here')
    .addOption(caFileOption())
    .addHelpText('after', EXAMPLES)
    .action(run((context, name: string, options: CreateOptions) => create(context, name, options)));
}

async function create(context: Context, name: string, options: CreateOptions): Promise<ExitCode> {
  const { output, aws } = context;
  if (options.iam && (options.passwordStdin || options.superuserSecret !== undefined))
    throw usage('--iam goes without --password-stdin and --superuser-secret: it is for an administrator.');
  const tags = (options.tag ?? []).map(parseTag);
  const replicas = (options.replicaRegion ?? []).map(parseReplica);
  await needFreeName(context, name);
  const text = await secretText(context, options);
  const secret = options.iam ? parseAdministrator(context, text) : parseLogin(text);

  const { host, port, username, dbname } = secret;
  const otherPassword = `Check user and password: psql -h ${host} -p ${port} -U ${username} ${dbname}`;
  const login = options.login
    ? await proveLogin(context, secret, { caFile: options.caFile, otherPassword })
    : 'not-tried';
  output.busy('storing …');
  const { description, kmsKeyId } = options;
  const command = new CreateSecretCommand({
    Name: name,
    SecretString: text,
    Description: description,
    KmsKeyId: kmsKeyId,
    Tags: tags.length === 0 ? undefined : tags,
    AddReplicaRegions: replicas.length === 0 ? undefined : replicas,
  });
  const { ARN = '' } = await asking(`secretsmanager:CreateSecret of ${name}`, aws.secretsManager.send(command));
  output.busy(undefined);
  const proof = login === 'accepted' ? 'its login works' : 'its login was not tried (--no-login)';
  output.line(`${green('Stored')} ${bold(name)}: ${loginName(secret)}; ${proof}.`);
  output.line(`  ${ARN}`);
  output.line(
    options.iam
      ? `Next: its ARN into "masterarn" and SuperuserSecretArns, its dbuser ARN into IamAdministratorArns.`
      : `Next: rotation attach ${name} --stack …`,
  );
  output.result({ secret: name, arn: ARN, login, replicas: replicas.map(({ Region }) => Region) });
  return EXIT.done;
}

/** Before anybody types a password for nothing. @throws CommandError */
async function needFreeName({ aws }: Context, name: string): Promise<void> {
  if (!/^[\w/+=.@-]{1,512}$/.test(name)) {
    throw usage('A name of up to 512 letters, digits and /_+=.@- was needed, found another.');
  }
  try {
    await aws.secretsManager.send(new DescribeSecretCommand({ SecretId: name }));
  } catch (error) {
    const absent = error instanceof Error && error.name === 'ResourceNotFoundException';
    // Who may not look may store all the same.
    if (absent || (error instanceof Error && error.name === 'AccessDeniedException')) return;
    throw awsError(`secretsmanager:DescribeSecret of ${name}`, error);
  }
  throw refused(
    'NAME_TAKEN',
    `A name that no secret has was needed, and there is a secret ${name}.`,
    `Take another, or see what that one is: rotation status ${name}`,
  );
}

/** Asks for what is missing, the password last. */
async function secretText({ prompts }: Context, options: CreateOptions): Promise<string> {
  const { engine, ssl, superuserSecret, passwordStdin } = options;
  const { port = ENGINE_RULES[engine].port, dbname = ENGINE_RULES[engine].dbname } = options;
  const ask = async (value: string | undefined, option: string, message: string): Promise<string> => {
    if (value !== undefined) return value;
    if (passwordStdin || !prompts.interactive) throw usage(`${option} was needed, and there is no terminal to ask on.`);
    return await prompts.ask({ message, validate: (text) => text !== '' || 'It is needed.' });
  };
  const host = await ask(options.host, '--host', 'Host:');
  const username = await ask(options.username, '--username', 'User:');
  const login = {
    engine,
    host,
    port,
    username,
    dbname,
    iam: options.iam,
    ssl: ssl === undefined ? undefined : ssl === 'true',
    masterarn: superuserSecret,
  };
  needServer(login);
  const password = options.iam ? undefined : await askPassword(prompts, options, username);
  return JSON.stringify({ ...login, password: password?.reveal() });
}

async function askPassword(
  prompts: Context['prompts'],
  { passwordStdin }: CreateOptions,
  username: string,
): Promise<Password> {
  if (passwordStdin) return await prompts.passwordFromStdin();
  if (!prompts.interactive) {
    throw usage(
      'A password was needed, and there is no terminal to ask on.',
      'Give it on stdin, with --password-stdin.',
    );
  }
  return await prompts.password(`Password of ${username} (not shown):`);
}

function parseTag(text: string): { readonly Key: string; readonly Value: string } {
  const [, Key, Value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (Key === undefined || Value === undefined) throw usage(`A tag is KEY=VALUE, found "${text}".`);
  return { Key, Value };
}

function parseReplica(text: string): { readonly Region: string; readonly KmsKeyId: string | undefined } {
  const [Region = '', KmsKeyId] = text.split('=');
  return { Region, KmsKeyId };
}
