/** The command line of `npm run bench`, parsed. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { StrategyName } from '../../shared/rotation/strategy.ts';
import { inputsWith } from './fleet-needs.ts';

const COMMANDS = ['rotation', 'cold', 'scale', 'fleet', 'clients', 'plots'] as const;
export type Command = (typeof COMMANDS)[number];

export interface Options {
  readonly command: Command;
  /** Blocks to measure; undefined leaves it to the benchmark. */
  readonly rotations: number | undefined;
  readonly strategies: readonly StrategyName[];
  readonly tls: readonly boolean[];
  /** 'embedded' or a URL. */
  readonly postgres: string;
  readonly caFile: string | undefined;
  readonly endpointUrl: string | undefined;
  readonly against: string | undefined;
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

/** @throws Error, in one sentence, for what can't be understood. */
export function parseOptions(args: readonly string[]): Options | 'help' {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      rotations: { type: 'string', short: 'n' },
      strategy: { type: 'string' },
      tls: { type: 'string' },
      postgres: { type: 'string', default: 'embedded' },
      'ca-file': { type: 'string' },
      'endpoint-url': { type: 'string' },
      against: { type: 'string' },
      levers: { type: 'boolean', default: false },
      secrets: { type: 'string', default: '1000' },
      concurrency: { type: 'string', default: '50,200,1000' },
      databases: { type: 'string', default: '4' },
      quota: { type: 'string', default: '1' },
      price: { type: 'string', multiple: true, default: [] },
      packages: { type: 'string', default: '.' },
      json: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  const word = positionals[0] ?? 'rotation';
  const command = COMMANDS.find((each) => each === word);
  if (command === undefined || positionals.length > 1) {
    throw new Error(`A benchmark was needed (${COMMANDS.join(', ')} or stdio), found "${positionals.join(' ')}".`);
  }
  return {
    command,
    rotations: values.rotations === undefined ? undefined : count('--rotations', values.rotations),
    strategies: strategies(values.strategy),
    tls: tls(values.tls, values.postgres === 'embedded' || values['ca-file'] !== undefined),
    postgres: values.postgres,
    caFile: values['ca-file'],
    endpointUrl: values['endpoint-url'],
    against: values.against,
    levers: values.levers,
    secrets: count('--secrets', values.secrets),
    concurrency: values.concurrency.split(',').map((each) => count('--concurrency', each)),
    databases: count('--databases', values.databases),
    quota: part(values.quota),
    prices: prices(values.price),
    packages: resolve(values.packages),
    json: values.json,
    save: values.save,
  };
}

function strategies(word: string | undefined): readonly StrategyName[] {
  if (word === undefined) return ['single-user', 'alternating-users'];
  if (word === 'single-user' || word === 'alternating-users') return [word];
  throw new Error(`--strategy needs single-user or alternating-users, found "${word}".`);
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
      throw new Error(`--tls needs on, off or both, found "${word}".`);
  }
}

function count(name: string, text: string): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (value < 1) throw new Error(`${name} needs a whole number from 1 on, found "${text}".`);
  return value;
}

function part(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1)) throw new Error(`--quota needs a number above 0 and up to 1, found "${text}".`);
  return value;
}

function prices(texts: readonly string[]): Options['prices'] {
  const replaced = Object.fromEntries(texts.map(price));
  inputsWith(replaced);
  return replaced;
}

function price(text: string): readonly [string, number] {
  const [, name, amount] = /^([a-zA-Z]+)=(\d+(?:\.\d+)?)$/.exec(text) ?? [];
  if (name === undefined || amount === undefined) throw new Error(`--price needs NAME=USD, found "${text}".`);
  return [name, Number(amount)];
}
