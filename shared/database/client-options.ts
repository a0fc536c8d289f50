import type { ConnectionOptions } from 'node:tls';
import { Client, type ClientConfig, type Connection } from 'pg';

/**
 * Whom to talk to, as whom, and how: all of it, since nothing is looked up elsewhere. What is not here (replication,
 * the driver's own time-outs of statements) can't be had.
 */
export interface ClientOptions
  extends Pick<ClientConfig, 'application_name' | 'connectionTimeoutMillis' | 'options' | 'stream'> {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  /** `false`: no TLS. */
  readonly ssl: boolean | ConnectionOptions;
  /** The most rounds of SCRAM that a server may ask for; 0: any number. Default: the driver's 100,000. */
  readonly scramMaxIterations?: number;
  /** A connection of one's own; it must have been given `ssl` and `stream`. */
  readonly connection?: Connection;
}

/**
 * The driver's client, taking nothing but its options. By itself the driver asks the process's PG* variables (and
 * ~/.pgpass) wherever an option is absent, empty or 0, and PGOPTIONS could put anybody's schema first on the search path.
 *
 * Text travels as UTF-8, whatever the database or the role has for a setting: the driver ends its start-up message with
 * that (pg-protocol's serializer), which outranks them. So no literal's last character can swallow the quote after it.
 */
export class ExplicitClient extends Client {
  readonly #startUp: Readonly<Record<string, string>>;

  constructor(options: ClientOptions) {
    const { host, port, database, user, password, application_name, options: settings } = options;
    // The driver's constructor uses the first at once, and throws where the environment's makes no sense.
    super({ ...options, sslnegotiation: 'postgres', client_encoding: 'UTF8' });
    // What the driver has looked up elsewhere, where one of these is empty.
    Object.assign(this, { host, port, database, user, password });
    this.#startUp = {
      user,
      database,
      ...(application_name ? { application_name } : {}),
      ...(settings ? { options: settings } : {}),
    };
  }

  /** The driver sends what this answers, client_encoding added. */
  getStartupConf(): Record<string, string> {
    return { ...this.#startUp };
  }
}
