import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { type Client, escapeIdentifier, escapeLiteral } from 'pg';
import { REGISTERS_ONLY } from '../../../scripts/lab/beginning.ts';
import type { PostgresServer } from '../../../scripts/lab/database/server.ts';
import { type SecretsLab, startSecretsManager } from '../../../scripts/lab/secrets-lab.ts';
import type { StrategyName } from '../../../shared/rotation/strategy.ts';
import { newPassword, Subject, storeSecret } from '../crash/subject.ts';
import { type LeakWatch, watchLeaks } from '../leaks.ts';
import { clientOf } from '../secrets-lab-client.ts';
import { ManualClock } from './manual-clock.ts';

const bundleOf = (strategy: StrategyName) =>
  fileURLToPath(new URL(`../../../dist/${strategy}/index.mjs`, import.meta.url));

/** An account and a server in which histories play: the lab, the built function, and a clock that can jump. */
export class World implements AsyncDisposable {
  readonly strategy: StrategyName;
  readonly clock: ManualClock;
  readonly lab: SecretsLab;
  readonly client: SecretsManagerClient;
  readonly admin: Client;
  readonly functionArn: string;
  /** ARN of a function that leaves a rotation at its beginning. */
  readonly registersOnly: string;
  /** Code of the last error that the function has logged. */
  lastError = '';
  readonly #server: PostgresServer;
  readonly #leaks: LeakWatch;
  #superuser: string | undefined;

  /** @param environment of the function. */
  static async open(
    strategy: StrategyName,
    server: PostgresServer,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<World> {
    const clock = new ManualClock();
    const admin = await server.connect();
    const lab = await startSecretsManager({ retries: 0, clock });
    return new World(strategy, server, { clock, admin, lab, environment });
  }

  private constructor(
    strategy: StrategyName,
    server: PostgresServer,
    {
      clock,
      admin,
      lab,
      environment,
    }: { clock: ManualClock; admin: Client; lab: SecretsLab; environment: Readonly<Record<string, string>> },
  ) {
    this.strategy = strategy;
    this.#server = server;
    this.clock = clock;
    this.admin = admin;
    this.lab = lab;
    this.client = clientOf(lab);
    this.functionArn = lab.functions.register({
      name: strategy,
      bundle: bundleOf(strategy),
      environment: { ...environment },
    });
    this.registersOnly = lab.functions.register({ name: 'registers-only', bundle: REGISTERS_ONLY });
    this.#leaks = watchLeaks(lab);
    lab.on((event) => {
      if (event.type === 'log-line' && event.line.includes('"error_code"'))
        this.lastError = JSON.parse(event.line).error_code;
    });
  }

  async newSubject(): Promise<Subject> {
    const role = `m${randomUUID().slice(0, 8)}`;
    const password = newPassword();
    await this.admin.query(`CREATE ROLE ${escapeIdentifier(role)} LOGIN PASSWORD ${escapeLiteral(password)}`);
    const masterarn = this.strategy === 'alternating-users' ? await this.#superuserSecret() : undefined;
    const arn = await storeSecret(this.client, 'application', { ...this.#login(role, password), masterarn });
    return new Subject(this.client, { arn, role, registersOnly: this.registersOnly });
  }

  async #superuserSecret(): Promise<string> {
    const { username, password } = this.#server.superuser;
    this.#superuser ??= await storeSecret(this.client, 'superuser', this.#login(username, password));
    return this.#superuser;
  }

  #login(username: string, password: string): object {
    const { host, port } = this.#server;
    return { engine: 'postgres', host, port, username, password, dbname: 'postgres', ssl: false };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#leaks.verify();
      this.#leaks.verifyServerLog(await this.#server.log());
    } finally {
      await this.lab.close();
      this.client.destroy();
      await this.admin.end();
    }
  }
}
