import { text } from 'node:stream/consumers';
import { Password } from '../shared/secret/password.ts';
import { unanswered, usage } from './failures.ts';

export interface Question {
  readonly message: string;
  readonly byDefault?: string;
  readonly validate?: (value: string) => true | string;
}

/** Asks the operator, on the terminal. Where there is none, nobody is asked. What draws a question is loaded when there is one. */
export class Prompts {
  readonly #signal: AbortSignal;
  /** Whether there is somebody to ask. */
  readonly interactive: boolean;

  constructor(signal: AbortSignal, json: boolean) {
    this.#signal = signal;
    this.interactive = !json && process.stdin.isTTY === true && process.stderr.isTTY === true;
  }

  /** @param consent given by --yes. @throws where there is neither that nor anybody to ask. */
  async agree(message: string, consent: boolean): Promise<boolean> {
    if (consent) return true;
    if (!this.interactive)
      throw usage(`"${message}" must be answered, and there is no terminal to ask on.`, 'Give --yes.');
    const { default: confirm } = await import('@inquirer/confirm');
    return await unlessClosed(confirm({ message, default: false }, this.#context));
  }

  async ask({ message, byDefault, validate = () => true }: Question): Promise<string> {
    const { default: input } = await import('@inquirer/input');
    return await unlessClosed(input({ message, default: byDefault, validate }, this.#context));
  }

  async choose<Choice extends string>(message: string, choices: readonly Choice[]): Promise<Choice> {
    const { default: select } = await import('@inquirer/select');
    return await unlessClosed(
      select({ message, choices: choices.map((value) => ({ name: value, value })) }, this.#context),
    );
  }

  /** Not shown as it is typed. */
  async password(message: string): Promise<Password> {
    const { default: password } = await import('@inquirer/password');
    const validate = (value: string) => value !== '' || 'A password is needed.';
    return new Password(
      await unlessClosed(password({ message, mask: false, toggleMask: false, validate }, this.#context)),
    );
  }

  /** Of the device that a profile names. */
  async mfaCode(device: string): Promise<string> {
    const validate = (code: string) => /^\d{6}$/.test(code.trim()) || 'Six digits are needed.';
    return (await this.ask({ message: `MFA code of ${device}:`, validate })).trim();
  }

  /** All of stdin but for the line's end. */
  async passwordFromStdin(): Promise<Password> {
    const value = (await text(process.stdin)).replace(/\r?\n$/, '');
    if (value === '') throw usage('A password was needed on stdin, and there was none.');
    return new Password(value);
  }

  get #context() {
    return { signal: this.#signal, output: process.stderr };
  }
}

/** Ctrl-D closes a question that then stays without an answer, and leaves Node nothing to wait for. */
async function unlessClosed<T>(answer: Promise<T>): Promise<T> {
  const closed = Promise.withResolvers<never>();
  const close = () => closed.reject(unanswered());
  process.once('beforeExit', close);
  try {
    return await Promise.race([answer, closed.promise]);
  } finally {
    process.off('beforeExit', close);
  }
}
