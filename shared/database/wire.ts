import { type DatabaseErrorMeaning, meaningOf, type Phase } from './connect-error.ts';
import type { DigestAnswer } from './connection.ts';
import { PINNED } from './pinned.ts';

/** What a session has to know of the kind of server that it is with. */
export interface Wire {
  /** Begins a transaction in which names mean what the server's own catalog says. */
  readonly pinned: string;
  /** Whether the server looks at limits and rights only after AuthenticationOk, which so shows that a password is right. */
  readonly okProves: boolean;
  /** Answers its authentication request 13. */
  readonly digest?: DigestAnswer | undefined;
  /** What an error means there; as `meaningOf` of connect-error.ts. */
  meaningOf(error: unknown, phase: Phase, forTls: boolean): DatabaseErrorMeaning;
}

export const POSTGRES_WIRE: Wire = { pinned: PINNED, okProves: true, meaningOf };
