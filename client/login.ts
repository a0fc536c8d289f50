import type { ConnectionOptions } from 'node:tls';
import type { Stage } from './secrets-manager.ts';

export interface LoginFacts {
  readonly username: string;
  /** A DNS name or an IP address; of AWSCURRENT, whichever version the user and password are of. */
  readonly host: string;
  readonly port: number;
  readonly dbname: string;
  /** For node-postgres and whatever takes options of tls.connect(); false where the secret says `"ssl": false`. */
  readonly ssl: false | ConnectionOptions;
  /** The version that user and password are of. */
  readonly versionId: string;
  /** The label by which that version was found. */
  readonly stage: Stage;
}

/**
 * How to log in now. The password is there for who asks for it by name, `login.password` or `const { password } = login`,
 * and in no JSON, no `util.inspect` and no spread.
 */
export class Login implements LoginFacts {
  readonly username: string;
  readonly host: string;
  readonly port: number;
  readonly dbname: string;
  readonly ssl: false | ConnectionOptions;
  readonly versionId: string;
  readonly stage: Stage;
  readonly #password: string;

  constructor(facts: LoginFacts, password: string) {
    this.username = facts.username;
    this.host = facts.host;
    this.port = facts.port;
    this.dbname = facts.dbname;
    this.ssl = facts.ssl;
    this.versionId = facts.versionId;
    this.stage = facts.stage;
    this.#password = password;
    Object.freeze(this);
  }

  get password(): string {
    return this.#password;
  }
}
