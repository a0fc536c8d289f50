/** The command line of `npm run lab`, parsed. */
import { Command } from 'commander';
import { readArguments, UsageError } from './command-line.ts';

export interface LabCommand {
  readonly port: number;
  /** 'embedded', 'container' or a URL. */
  readonly postgres: string;
  readonly seed: boolean;
  readonly redshift: boolean;
  readonly timeScale: number;
  readonly json: boolean;
}

const AFTER = `
SOURCE is one of
  embedded   PostgreSQL from npm, no container engine needed
  container  PostgreSQL in a container
  a URL      a running server: postgres://superuser@host:port/database
             The lab makes roles lab_… there and drops them at its end. PGPASSWORD keeps the password out of the URL.
             Elsewhere than on this machine TLS is verified, unless ?sslmode=disable.`;

function labProgram(): Command {
  return new Command('npm run lab --')
    .description(
      'A local Secrets Manager for AWS clients, a PostgreSQL, and both rotation functions attached. It listens on loopback only, stays until Ctrl-C, and leaves nothing behind.',
    )
    .option('--port <N>', 'port of Secrets Manager (default: any free one)')
    .option('--postgres <SOURCE>', 'where PostgreSQL comes from', 'embedded')
    .option('--redshift', 'a stand-in for Amazon Redshift too, with a secret of its own (docs/lab.md)')
    .option('--no-seed', 'make no applications: nothing is created in the database')
    .option(
      '--time-scale <N>',
      "N seconds of Secrets Manager's time pass in one: 3600 shows an hour's schedule in a second",
    )
    .option(
      '--json',
      "print one line of JSON once ready (endpoint, database, function ARNs), and nothing else; npm run -s lab -- --json keeps npm's own two lines away",
    )
    .addHelpText('after', AFTER);
}

interface Given {
  readonly port?: string;
  readonly postgres: string;
  readonly seed: boolean;
  readonly redshift?: true;
  readonly timeScale?: string;
  readonly json?: true;
}

/** @throws UsageError, HelpWanted */
export function parseLabCommand(args: readonly string[], environment: NodeJS.ProcessEnv = {}): LabCommand {
  const given = readArguments(labProgram(), args).opts<Given>();
  const { port, postgres, seed, redshift = false, timeScale, json = false } = given;
  if (redshift && URL.canParse(postgres))
    throw new UsageError(
      '--redshift needs a PostgreSQL of its own, embedded or container: it makes views in the catalog.',
    );
  return {
    port: number('--port', port, { min: 0, max: 65_535, whole: true }) ?? 0,
    postgres: source(postgres, environment.PGPASSWORD),
    seed,
    redshift,
    timeScale: number('--time-scale', timeScale, { min: 0.001, max: 1_000_000, whole: false }) ?? 1,
    json,
  };
}

interface Range {
  readonly min: number;
  readonly max: number;
  readonly whole: boolean;
}

function number(option: string, text: string | undefined, { min, max, whole }: Range): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max && (!whole || Number.isInteger(value))) return value;
  throw new UsageError(`${option} needs a ${whole ? 'whole ' : ''}number from ${min} to ${max}, and got "${text}".`);
}

function source(text: string, password: string | undefined): string {
  if (text === 'embedded' || text === 'container') return text;
  // What was found is not repeated: it may hold a password.
  if (!URL.canParse(text) || !/^postgres(ql)?:\/\//.test(text)) {
    throw new UsageError('--postgres needs embedded, container or a URL postgres://superuser@host:port/database.');
  }
  const url = new URL(text);
  if (url.username === '')
    throw new UsageError('--postgres needs the name of a superuser in its URL: postgres://superuser@host.');
  if (url.password === '' && password !== undefined) url.password = encodeURIComponent(password);
  return url.href;
}
