import type { SqlSession } from '../../shared/database/session.ts';
import type { PasswordRequest } from '../../shared/rotation/strategy.ts';
import { Password } from '../../shared/secrets/password.ts';
import { ManualDeadline } from './fake-rotation.ts';

/** A statement, or COPY data, that a session was given. */
export interface Sent {
  readonly how: 'query' | 'begin' | 'proceed' | 'copyInto' | 'rollback';
  readonly text: string;
  readonly data?: string;
}

/** A session in memory: what it was given, and rows that a test says. */
export class FakeSession implements SqlSession {
  readonly sent: Sent[] = [];
  readonly secrets: string[] = [];
  readonly login: SqlSession['login'];
  request: PasswordRequest | undefined = { method: 'scram-sha-256', salt: Buffer.from('salt'), iterations: 4096 };
  processId: number | null = 4711;
  beganAt = performance.now();
  readonly address = '10.0.0.1';
  version = '18.1';
  encoding = 'UTF8';
  readonly deadline = new ManualDeadline();
  /** The rows of a statement; what it throws is the statement's failure. */
  rows: (sent: Sent) => readonly object[] = () => [];

  constructor({ username = 'app', password = 'old' }: { readonly username?: string; readonly password?: string } = {}) {
    this.login = {
      ...{ host: 'db', port: 5432, database: 'shop', username, tls: 'verified', sslHostname: undefined },
      password: new Password(password),
    };
  }

  query = <Row extends object>(text: string) => this.#send<Row>({ how: 'query', text });
  begin = <Row extends object>(text: string) => this.#send<Row>({ how: 'begin', text });
  proceed = <Row extends object>(text: string) => this.#send<Row>({ how: 'proceed', text });

  async copyInto(text: string, data: string): Promise<void> {
    await this.#send({ how: 'copyInto', text, data });
  }

  async rollback(): Promise<void> {
    await this.#send({ how: 'rollback', text: 'ROLLBACK' });
  }

  keepSecret(text: string): void {
    this.secrets.push(text);
  }

  async #send<Row extends object>(sent: Sent): Promise<readonly Row[]> {
    this.sent.push(sent);
    return this.rows(sent) as readonly Row[];
  }
}
