import { randomBytes, randomUUID } from 'node:crypto';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { type Client, escapeIdentifier, escapeLiteral } from 'pg';
import { ACCOUNT_ID } from '../../../scripts/lab/account.ts';
import { REGISTERS_ONLY } from '../../../scripts/lab/beginning.ts';
import type { PostgresServer } from '../../../scripts/lab/database/server.ts';
import type { SecretsLab } from '../../../scripts/lab/secrets-lab.ts';
import { ApiRelay } from '../../../scripts/relays/api-relay.ts';
import { STEPS } from '../../../shared/rotation/event.ts';
import type { StrategyName } from '../../../shared/rotation/strategy.ts';
import type { LeakWatch } from '../leaks.ts';
import { type Gate, OPEN } from './gate.ts';
import { GatedApi } from './gated-api.ts';
import { GatedPostgres } from './gated-postgres.ts';
import { FunctionStock } from './stock.ts';
import { newPassword, Subject, storeSecret } from './subject.ts';

export interface LaneOptions {
  /** Of one invocation. Default 30,000. */
  readonly timeoutMs?: number;
  /** What the secrets say. Default: the relay's address. */
  readonly host?: string;
  /** Keeps a second instance ready, for one that is going to be killed. Default: no. */
  readonly spare?: boolean;
  /** Of the function. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface Surroundings {
  readonly lab: SecretsLab;
  readonly client: SecretsManagerClient;
  readonly server: PostgresServer;
  /** Of the lab; hears what the lane's function writes. */
  readonly leaks: LeakWatch;
}

/** What ended a run through the steps early; undefined where all four succeeded. */
export type Failure = { readonly step: string; readonly type: string; readonly message: string } | undefined;

/** One function with relays on all its ways: where one rotation at a time is made to go wrong. */
export class Lane implements AsyncDisposable {
  readonly strategy: StrategyName;
  /** What the function has written since the last rotation began: evidence. */
  readonly log: string[] = [];
  readonly timeoutMs: number;
  readonly #host: string;
  #admin: Client;
  readonly #around: Surroundings;
  readonly #api: GatedApi;
  readonly #relay: ApiRelay;
  readonly database: GatedPostgres;
  readonly #functions: FunctionStock;
  readonly #registersOnly: string;
  #superuser: { readonly name: string; readonly arn: string } | undefined;
  #step = '';

  static async open(strategy: StrategyName, around: Surroundings, options: LaneOptions = {}): Promise<Lane> {
    const api = new GatedApi();
    const relay = await ApiRelay.start(around.lab.endpoint, api);
    const database = await GatedPostgres.start(around.server);
    return new Lane(strategy, around, { api, relay, database, admin: await around.server.connect() }, options);
  }

  private constructor(
    strategy: StrategyName,
    around: Surroundings,
    { api, relay, database, admin }: { api: GatedApi; relay: ApiRelay; database: GatedPostgres; admin: Client },
    { timeoutMs = 30_000, environment = {}, host = database.host, spare = false }: LaneOptions,
  ) {
    this.strategy = strategy;
    this.timeoutMs = timeoutMs;
    this.database = database;
    this.#host = host;
    this.#admin = admin;
    this.#around = around;
    this.#api = api;
    this.#relay = relay;
    this.#functions = new FunctionStock({
      strategy,
      endpoint: relay.endpoint,
      environment,
      timeoutMs,
      spare,
      onLog: ({ line }) => {
        this.log.push(line);
        around.leaks.hear(line);
      },
    });
    this.#registersOnly = around.lab.functions.register({
      name: `registers-only-${randomUUID()}`,
      bundle: REGISTERS_ONLY,
    });
  }

  /** A superuser's session with the server itself, past the relay. */
  get admin(): Client {
    return this.#admin;
  }

  /** After a restart of the server. */
  async reconnect(): Promise<void> {
    await this.#admin.end().catch(() => undefined);
    this.#admin = await this.#around.server.connect();
  }

  readonly step = (): string => this.#step;

  set gate(gate: Gate) {
    this.#api.gate = gate;
    this.database.gate = gate;
  }

  /** A new role and the secret of its login. */
  async newSubject(): Promise<Subject> {
    const name = `u${randomBytes(5).toString('hex')}`;
    const password = newPassword();
    await this.admin.query(`CREATE ROLE ${escapeIdentifier(name)} LOGIN PASSWORD ${escapeLiteral(password)}`);
    const superuser = this.strategy === 'alternating-users' ? await this.#superuserSecret() : undefined;
    const arn = await storeSecret(this.#around.client, 'application', {
      ...this.#login(name, password),
      masterarn: superuser?.arn,
    });
    return new Subject(this.#around.client, {
      arn,
      role: name,
      registersOnly: this.#registersOnly,
      superuser: superuser?.name,
    });
  }

  /** Registers a version as RotateSecret does. @returns its token. */
  async begin(subject: Subject): Promise<string> {
    return await subject.begin((secretId) => this.#around.lab.settled(secretId));
  }

  /** Calls the four steps in turn as the service does, up to the first that fails. */
  async rotate(subject: Subject, token: string): Promise<Failure> {
    this.log.length = 0;
    const rotationToken = randomUUID();
    for (const step of STEPS) {
      await this.database.untilQuiet();
      this.#step = step;
      this.database.restartNumbering();
      const result = await this.#functions.instance.invoke({
        requestId: randomUUID(),
        functionArn: `arn:aws:lambda:us-east-1:${ACCOUNT_ID}:function:crash`,
        timeoutMs: this.timeoutMs,
        event: { Step: step, SecretId: subject.arn, ClientRequestToken: token, RotationToken: rotationToken },
      });
      if (!result.ok) return { step, type: result.errorType, message: result.errorMessage };
    }
    return undefined;
  }

  /** The code of the error that ended the last rotation, as the function's log tells it. */
  get errorCode(): string | undefined {
    const line = this.log.findLast((each) => each.includes('"error_code"'));
    return line === undefined ? undefined : JSON.parse(line).error_code;
  }

  async kill(): Promise<void> {
    await this.#functions.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.gate = OPEN;
    await this.#functions[Symbol.asyncDispose]();
    await this.#relay[Symbol.asyncDispose]();
    await this.database[Symbol.asyncDispose]();
    await this.#admin.end().catch(() => undefined);
  }

  /** One administrator for all of this lane's secrets. */
  async #superuserSecret(): Promise<{ readonly name: string; readonly arn: string }> {
    if (this.#superuser !== undefined) return this.#superuser;
    const name = `a${randomBytes(5).toString('hex')}`;
    const password = newPassword();
    await this.admin.query(`CREATE ROLE ${escapeIdentifier(name)} SUPERUSER LOGIN PASSWORD ${escapeLiteral(password)}`);
    const arn = await storeSecret(this.#around.client, 'superuser', this.#login(name, password));
    this.#superuser = { name, arn };
    return this.#superuser;
  }

  #login(username: string, password: string): object {
    const { port } = this.database;
    return { engine: 'postgres', host: this.#host, port, username, password, dbname: 'postgres', ssl: false };
  }
}
