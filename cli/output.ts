import { Spinner } from '../shared/terminal/spinner.ts';
import { bold, dim, green, red, yellow } from '../shared/terminal/text.ts';
import type { CommandError } from './failures.ts';

/**
 * What the command writes. Results go to stdout: sentences for people, or with --json one JSON document a look. What is
 * only for who is watching (spinners, questions, notes) goes to stderr.
 */
export class Output {
  readonly json: boolean;
  readonly #spinner = new Spinner(process.stderr);

  constructor(json: boolean) {
    this.json = json;
  }

  /** A line for people; nothing with --json. */
  line(text = ''): void {
    if (!this.json) this.#spinner.aside(() => process.stdout.write(`${text}\n`));
  }

  /** The result for programs; nothing without --json. */
  result(value: unknown): void {
    if (this.json) process.stdout.write(`${JSON.stringify(value)}\n`);
  }

  /** Something to know that is no result: on stderr, with --json too. */
  note(text: string): void {
    this.#spinner.aside(() => process.stderr.write(`${text}\n`));
  }

  error({ code, message, remedy, exitCode }: CommandError): void {
    this.busy(undefined);
    this.result({ error: { code, message, remedy, exitCode } });
    if (this.json) return;
    process.stderr.write(`${red('error')}: ${message}\n`);
    if (remedy !== undefined) process.stderr.write(`${bold('what to do')}: ${remedy}\n`);
  }

  /** What is being waited for, turning on a terminal and nowhere else; undefined: nothing any more. */
  busy(text: string | undefined): void {
    if (!this.json) this.#spinner.show(text);
  }
}

/** One word for how something is, in its colour. */
export function mark(state: 'ok' | 'warning' | 'broken' | 'unknown'): string {
  switch (state) {
    case 'ok':
      return green('ok');
    case 'warning':
      return yellow('warning');
    case 'broken':
      return red('broken');
    case 'unknown':
      return dim('unknown');
    default: {
      const never: never = state;
      return never;
    }
  }
}
