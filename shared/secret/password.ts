import { inspect } from 'node:util';

const REDACTED = '[redacted]';

/** A password that redacts itself in JSON, in `util.inspect` and in string templates. */
export class Password {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The clear text. Call it only where the text leaves for the database or for Secrets Manager. */
  reveal(): string {
    return this.#value;
  }

  toJSON(): string {
    return REDACTED;
  }

  toString(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
