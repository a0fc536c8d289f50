import type { SqlSession } from '../../shared/database/session.ts';
import type { PasswordRequest } from '../../shared/rotation/ports.ts';
import { Password } from '../../shared/secret/password.ts';
import { ManualDeadline } from './fake-rotation.ts';

/** A statement, or COPY data, that a session was given. */
export interface Sent {
  readonly how: 'query' | 'begin' | 'proceed' | 'copy' | 'commit' | 'rollback';
  readonly text: string;
  /** What COPY read into its one row of one column. */
  readonly data?: string | undefined;
}

/** A session in memory: what it was given, and rows that a test says. */
export class FakeSession implements SqlSession {
  readonly sent: Sent[] = [];
  readonly secrets: string[] = [];
  readonly login: SqlSession['login'];
  request: PasswordRequest | undefined = { method: 'scram-sha-256', salt: Buffer.from('salt'), iterations: 4096 };
  processId: number | null = 4711;
  beganAt = performance.now();
  committedAt = this.beganAt;
  readonly loginTook = 5;
  readonly address = '10.0.0.1';
  version = '18.1';
  encoding = 'UTF8';
  readonly deadline = new ManualDeadline();
  /** The rows of a statement; what it throws is the statement's failure. */
  rows: (sent: Sent) => readonly object[] = () => [];

  constructor({ username = 'app', password = 'old' }: { readonly username?: string; readonly password?: string } = {}) {
    this.login = {
      host: 'db',
      port: 5432,
      database: 'shop',
      username,
      tls: 'verified',
      sslHostname: undefined,
      password: new Password(password),
      byToken: false,
    };
  }

  query = <Row extends object>(text: string) => this.#send<Row>({ how: 'query', text });
  begin = <Row extends object>(text: string) => this.#send<Row>({ how: 'begin', text });
  proceed = <Row extends object>(text: string) => this.#send<Row>({ how: 'proceed', text });

  async copy(text: string, data: Buffer): Promise<void> {
    await this.#send({ how: 'copy', text, data: copiedText(data) });
  }

  async commit(): Promise<void> {
    await this.#send({ how: 'commit', text: 'COMMIT' });
  }

  async rollback(): Promise<void> {
    await this.#send({ how: 'rollback', text: 'ROLLBACK' });
  }

  lastCommitAt(): number {
    return this.committedAt;
  }

  redact(text: string): void {
    this.secrets.push(text);
  }

  async #send<Row extends object>(sent: Sent): Promise<readonly Row[]> {
    this.sent.push(sent);
    return this.rows(sent) as readonly Row[];
  }
}

/** PostgreSQL manual, COPY, "Binary Format". */
const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');

/** The one text in COPY data of the binary format; anything else is an error, as it is to the server. */
function copiedText(data: Buffer): string {
  const body = data.subarray(SIGNATURE.length + 8);
  const [fields, length] = [body.readInt16BE(0), body.readInt32BE(2)];
  const isWhole = body.length === 6 + length + 2 && body.readInt16BE(6 + length) === -1;
  if (!data.subarray(0, SIGNATURE.length).equals(SIGNATURE) || fields !== 1 || !isWhole)
    throw new TypeError('one row of one column was needed, in the binary format of COPY');
  return body.toString('utf8', 6, 6 + length);
}
