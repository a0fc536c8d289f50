import { inspect } from 'node:util';

const REDACTED = '[redacted]';

/** What a login by IAM has instead of a password: a token, made for one login and good for minutes. */
export interface LoginTokens {
  /** @throws RotationError IAM_CREDENTIALS_UNUSABLE */
  token(): Promise<Password>;
}

/** Whether it is printable ASCII, of which clients and servers make the same bytes, whatever the database's encoding. */
export function isAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}

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
