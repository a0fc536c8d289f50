import { parseArgs } from 'node:util';

export interface LabCommand {
  readonly port: number;
  /** 'embedded', 'container' or a URL. */
  readonly postgres: string;
  readonly seed: boolean;
  readonly timeScale: number;
  readonly json: boolean;
  readonly help: boolean;
}

/** A command line that can't be understood. */
export class UsageError extends Error {}

export const LAB_HELP = `Usage: npm run lab -- [options]

A local Secrets Manager for AWS clients, a PostgreSQL, and both rotation functions attached. It listens on
loopback only, stays until Ctrl-C, and leaves nothing behind.

  --port N               port of Secrets Manager (default: any free one)
  --postgres embedded    PostgreSQL from npm, no container engine needed (default)
  --postgres container   PostgreSQL in a container
  --postgres URL         a running server: postgres://superuser@host:port/database
                         The lab makes roles lab_… there and drops them at its end. PGPASSWORD keeps the password
                         out of the URL. Elsewhere than on this machine TLS is verified, unless ?sslmode=disable.
  --no-seed              make no applications: nothing is created in the database
  --time-scale N         N seconds of Secrets Manager's time pass in one: 3600 shows an hour's schedule in a second
  --json                 print one line of JSON once ready (endpoint, database, function ARNs), and nothing else;
                         npm run -s lab -- --json keeps npm's own two lines away
  --help                 print this
`;

/** @throws UsageError */
export function parseLabCommand(args: readonly string[], environment: NodeJS.ProcessEnv = {}): LabCommand {
  const values = read(args);
  return {
    port: number('--port', values.port, { min: 0, max: 65_535, whole: true }) ?? 0,
    postgres: source(values.postgres, environment.PGPASSWORD),
    seed: values.seed,
    timeScale: number('--time-scale', values['time-scale'], { min: 0.001, max: 1_000_000, whole: false }) ?? 1,
    json: values.json,
    help: values.help,
  };
}

function read(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowNegative: true,
      options: {
        port: { type: 'string' },
        postgres: { type: 'string', default: 'embedded' },
        seed: { type: 'boolean', default: true },
        'time-scale': { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    // Node's first sentence says it; the rest is about positional arguments, of which there are none.
    const [sentence = ''] = (error instanceof Error ? error.message : String(error)).split(/\. |\n/);
    throw new UsageError(sentence.replace(/\.?$/, '.'));
  }
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
