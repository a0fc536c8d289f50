/** The command line of `npm run bench`, parsed. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import type { StrategyName } from '../../shared/rotation/strategy.ts';
import { DEFAULT_REGION } from '../lab/account.ts';
import { readArguments, UsageError } from '../lab/command/command-line.ts';
import type { Caller } from './arena.ts';
import { inputsWith } from './fleet-needs.ts';

const COMMANDS = ['rotation', 'cold', 'scale', 'fleet', 'clients', 'plots'] as const;
export type BenchmarkName = (typeof COMMANDS)[number];

export interface Options {
  readonly command: BenchmarkName;
  /** Blocks to measure; undefined leaves it to the benchmark. */
  readonly rotations: number | undefined;
  readonly strategies: readonly StrategyName[];
  readonly tls: readonly boolean[];
  /** 'embedded' or a URL. */
  readonly postgres: string;
  readonly caFile: string | undefined;
  readonly endpointUrl: string | undefined;
  /** Who calls another Secrets Manager, where the environment says so. */
  readonly caller: Caller | undefined;
  readonly against: string | undefined;
  /** ms on the way of every call to Secrets Manager. */
  readonly apiLatency: number;
  readonly levers: boolean;
  readonly secrets: number;
  readonly concurrency: readonly number[];
  readonly databases: number;
  /** Part of the service's quotas, 1 being all of it. */
  readonly quota: number;
  /** List prices that replace the built-in ones, by name, in US dollars. */
  readonly prices: Readonly<Record<string, number>>;
  /** The folder whose node_modules other libraries for applications are in. */
  readonly packages: string;
  readonly json: boolean;
  readonly save: boolean;
}

export interface StartOptions {
  readonly command: 'start';
}

export interface StdioOptions {
  readonly command: 'stdio';
  readonly strategy: StrategyName;
}

const BENCHMARKS = `
Benchmarks:
  rotation   API calls, logins, statements, bytes, CPU and time by step (the default)
  cold       from the start of a process to its first answers; --levers: and without each of the build's levers
  scale      the cost of a rotation as everything around it grows
  fleet      many secrets due at once, under the service's quotas; with what a large fleet costs a month
  clients    what applications see of a single user's rotation, at 40 logins a second and 3 s between setSecret and
             finishSecret: logins that are refused, with our client and with others
  start      how long the operator's command takes to start, as it is published
  stdio      serves our own function by lines, for others to measure:
             {"SecretId","ClientRequestToken","Step"} in, {"ok":true} or {"error":"…"} out
  plots      draws docs/plots/*.svg from docs/plots/results.json

npm prints two lines of its own on stdout: where a program reads it (--json, stdio), write npm run -s bench -- …`;

function benchProgram(): Command {
  return new Command('npm run bench --')
    .description('What a rotation costs, and how fast it is.')
    .argument('[benchmark]', 'one of those below', 'rotation')
    .option(
      '-n, --rotations <N>',
      'blocks to measure: interleaved, one median over all (rotation, cold: 20; scale: 10; fleet: 10, of the rotation that its calculation is based on)',
    )
    .option('--strategy <NAME>', 'single-user or alternating-users (default: both)')
    .option('--tls <on|off|both>', 'of the sessions with PostgreSQL')
    .option('--postgres <URL>', 'postgres://superuser:password@host:port, or an embedded server', 'embedded')
    .option('--ca-file <FILE>', "PEM: who signed that server's certificate")
    .option(
      '--endpoint-url <URL>',
      "another Secrets Manager than the lab's; AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and AWS_REGION say who calls it",
    )
    .option(
      '--against <CMD>',
      'another implementation to measure in the same run: a shell command that does what stdio does, with endpoint and credentials in its environment; {scheme} becomes single or multi',
    )
    .option('--api-latency <MS>', 'rotation, cold: ms on the way of every call to Secrets Manager, as in a region', '0')
    .option('--levers', 'cold: what each lever of the build is worth')
    .option('--secrets <N>', 'fleet: how many', '1000')
    .option('--concurrency <LIST>', 'fleet: invocations of the function at one time', '50,200,1000')
    .option('--databases <N>', 'fleet: databases that the secrets are spread over', '4')
    .option(
      '--quota <PART>',
      "fleet: how much of the service's quotas to enforce; less shows the ceiling on a slow machine",
      '1',
    )
    .option(
      '--price <NAME=USD>',
      'fleet: a list price or another input of its calculation, which shows them all; may be given again',
      (text: string, others: readonly string[] = []) => [...others, text],
    )
    .option(
      '--packages <FOLDER>',
      'clients: in whose node_modules other libraries are: @aws-lambda-powertools/parameters, aws-advanced-nodejs-wrapper; one that is not there is left out',
      '.',
    )
    .option('--json', 'results as JSON on stdout')
    .option('--save', 'results into docs/plots/results.json as well')
    .addHelpText('after', BENCHMARKS);
}

interface Given {
  readonly rotations?: string;
  readonly strategy?: string;
  readonly tls?: string;
  readonly postgres: string;
  readonly caFile?: string;
  readonly endpointUrl?: string;
  readonly against?: string;
  readonly apiLatency: string;
  readonly levers?: true;
  readonly secrets: string;
  readonly concurrency: string;
  readonly databases: string;
  readonly quota: string;
  readonly price?: readonly string[];
  readonly packages: string;
  readonly json?: true;
  readonly save?: true;
}

/** @throws UsageError, HelpWanted */
export function parseOptions(
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): Options | StartOptions | StdioOptions {
  const program = readArguments(benchProgram(), args);
  const given = program.opts<Given>();
  const word = String(program.processedArgs[0]);
  if (word === 'stdio') return { command: word, strategy: oneStrategy(given.strategy) };
  if (word === 'start') return { command: word };
  const command = COMMANDS.find((each) => each === word);
  if (command === undefined) {
    throw new UsageError(`A benchmark was needed (${COMMANDS.join(', ')}, start or stdio), found "${word}".`);
  }
  const { postgres, caFile, endpointUrl, against, levers = false, price = [], json = false, save = false } = given;
  return {
    command,
    rotations: given.rotations === undefined ? undefined : count('--rotations', given.rotations),
    strategies: strategies(given.strategy),
    tls: tls(given.tls, postgres === 'embedded' || caFile !== undefined),
    postgres,
    caFile,
    endpointUrl,
    caller: endpointUrl === undefined ? undefined : callerIn(environment),
    against,
    apiLatency: given.apiLatency === '0' ? 0 : count('--api-latency', given.apiLatency),
    levers,
    secrets: count('--secrets', given.secrets),
    concurrency: given.concurrency.split(',').map((each) => count('--concurrency', each)),
    databases: count('--databases', given.databases),
    quota: part(given.quota),
    prices: prices(price),
    packages: resolve(given.packages),
    json,
    save,
  };
}

function callerIn(environment: NodeJS.ProcessEnv): Caller | undefined {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN } = environment;
  if (!accessKeyId || !secretAccessKey) return undefined;
  const region = environment.AWS_REGION || environment.AWS_DEFAULT_REGION || DEFAULT_REGION;
  return { accessKeyId, secretAccessKey, sessionToken: AWS_SESSION_TOKEN, region };
}

/** Of stdio: `{scheme}`'s words are taken too. */
function oneStrategy(word: string | undefined): StrategyName {
  if (word === 'single-user' || word === 'single') return 'single-user';
  if (word === 'alternating-users' || word === 'multi') return 'alternating-users';
  throw new UsageError('--strategy single-user or alternating-users is needed.');
}

function strategies(word: string | undefined): readonly StrategyName[] {
  if (word === undefined) return ['single-user', 'alternating-users'];
  if (word === 'single-user' || word === 'alternating-users') return [word];
  throw new UsageError(`--strategy needs single-user or alternating-users, found "${word}".`);
}

/** A server given by its URL is measured in plain text unless it is told how to trust its certificate. */
function tls(word: string | undefined, possible: boolean): readonly boolean[] {
  switch (word ?? (possible ? 'both' : 'off')) {
    case 'both':
      return [false, true];
    case 'on':
      return [true];
    case 'off':
      return [false];
    default:
      throw new UsageError(`--tls needs on, off or both, found "${word}".`);
  }
}

function count(name: string, text: string): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (value < 1) throw new UsageError(`${name} needs a whole number from 1 on, found "${text}".`);
  return value;
}

function part(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1)) throw new UsageError(`--quota needs a number above 0 and up to 1, found "${text}".`);
  return value;
}

function prices(texts: readonly string[]): Options['prices'] {
  const replaced = Object.fromEntries(texts.map(readPrice));
  try {
    inputsWith(replaced);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  return replaced;
}

function readPrice(text: string): readonly [string, number] {
  const [, name, amount] = /^([a-zA-Z]+)=(\d+(?:\.\d+)?)$/.exec(text) ?? [];
  if (name === undefined || amount === undefined) throw new UsageError(`--price needs NAME=USD, found "${text}".`);
  return [name, Number(amount)];
}
