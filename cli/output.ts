import { Spinner } from '../shared/terminal/spinner.ts';
import { wrapHanging } from '../shared/terminal/table.ts';
import { bold, dim, green, harmless, red, yellow } from '../shared/terminal/text.ts';
import type { CommandError } from './failures.ts';
import { mentionsCommand, wayToCall } from './invocation.ts';

/**
 * What the command writes. Results go to stdout: sentences for people, or with --json one JSON document a look. What is
 * only for who is watching (spinners, questions, notes) goes to stderr.
 */
export class Output {
  readonly json: boolean;
  readonly #spinner = new Spinner(process.stderr);
  #toldHowToCall = false;

  constructor(json: boolean) {
    this.json = json;
  }

  /**
   * A line for people; nothing with --json. On a terminal that is narrower it is broken between words.
   * @param hang how far the lines after the first are indented. Default: two further than the first.
   */
  line(text = '', hang?: number): void {
    if (this.json) return;
    this.#write(process.stdout, text, hang);
  }

  /** How wide lines may be; without end where nobody's terminal breaks them. */
  get columns(): number {
    return (process.stdout.isTTY && process.stdout.columns) || Number.POSITIVE_INFINITY;
  }

  /** Text that a program or a shell is to read, such as CSV: no line is broken. Nothing with --json. */
  verbatim(text: string): void {
    if (!this.json) this.#spinner.aside(() => process.stdout.write(text));
  }

  /** The result for programs; nothing without --json. */
  result(value: unknown): void {
    // A string may hold what JSON does not escape and a terminal heeds.
    if (this.json) process.stdout.write(`${harmless(JSON.stringify(value))}\n`);
  }

  /** Something to know that is no result: on stderr, with --json too. */
  note(text: string): void {
    this.#write(process.stderr, text);
  }

  error({ code, message, remedy, exitCode }: CommandError): void {
    this.busy(undefined);
    this.result({ error: { code, message, remedy, exitCode } });
    if (this.json) return;
    this.note(`${red('error')}: ${message}`);
    if (remedy !== undefined) this.note(`${bold('what to do')}: ${remedy}`);
  }

  #write(stream: NodeJS.WriteStream, text: string, hang?: number): void {
    const lines = wrapHanging(harmless(text), stream.isTTY ? stream.columns : 0, hang);
    this.#spinner.aside(() => stream.write(`${lines.join('\n')}\n`));
    if (this.json || this.#toldHowToCall || !mentionsCommand(text)) return;
    this.#toldHowToCall = true;
    const way = wayToCall(process.env);
    if (way !== undefined) this.#spinner.aside(() => process.stderr.write(`${dim(`\`rotation\` is ${way} here.`)}\n`));
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
