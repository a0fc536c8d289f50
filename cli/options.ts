import { readFileSync } from 'node:fs';
import { InvalidArgumentError, Option } from 'commander';
import type { Context } from './context.ts';
import { usage } from './failures.ts';

/** A subcommand's work, given its first argument and its options. @returns the exit code: an ExitCode, or a program's own. */
type Work<Argument, Options> = (context: Context, argument: Argument, options: Options) => Promise<number>;

/** Makes a commander action of a subcommand's work. */
export type Runner = <Argument, Options>(
  work: Work<Argument, Options>,
) => (argument: Argument, options: Options) => Promise<void>;

/** A number of seconds, from 1 to a day. */
export function seconds(text: string): number {
  const number = Number(text);
  if (number >= 1 && number <= 86_400) return number;
  throw new InvalidArgumentError('A number of seconds from 1 to 86400 was needed.');
}

/** @returns what parses a whole number from 1 to `most`. */
export function from1to(most: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (Number.isInteger(number) && number >= 1 && number <= most) return number;
    throw new InvalidArgumentError(`A whole number from 1 to ${most} was needed.`);
  };
}

/** As it is written, of what commander calls it: "stopAfter" is --stop-after. */
export function optionOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Values of an option that may be given several times. */
export function collect(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
}

/** The path of a file of CA certificates, which is looked at before anything is done. */
export function caFile(path: string): string {
  let text = '';
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error ? String(Reflect.get(error, 'code') ?? error.name) : '';
    throw usage(`--ca-file must name a file of CA certificates, and ${path} can't be read (${code}).`);
  }
  if (text.includes('-----BEGIN CERTIFICATE-----')) return path;
  throw usage(`--ca-file must name a file of CA certificates, and no PEM certificate is in ${path}.`);
}

/** @throws CommandError where it is not the ARN of a secret. */
export function secretArn(text: string): string {
  if (/^arn:[\w-]+:secretsmanager:[\w-]+:\d{12}:secret:\S+$/.test(text)) return text;
  throw usage(`The ARN of a secret was needed, found "${text}".`, 'aws secretsmanager describe-secret shows it.');
}

/** --ca-file of those commands that log in from here. @param logins such as "that login". */
export function caFileOption(logins = 'that login'): Option {
  const description = `CA certificates (PEM) to trust for ${logins} besides those of Node.js`;
  return new Option('--ca-file <file>', description).argParser(caFile);
}

/** --filter of those commands that look at many secrets. @param when what it goes with, such as "with --all: ". */
export function filterOption(when = ''): Option {
  return new Option('--filter <filter...>', `${when}tag:KEY=VALUE, tag:KEY or name:PREFIX; all must hold`);
}
