import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { CreateSecretCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { inject } from 'vitest';
import { REGISTERS_ONLY } from '../../scripts/lab/beginning.ts';
import type { PostgresServer } from '../../scripts/lab/database/server.ts';
import { type SecretsLab, startSecretsManager } from '../../scripts/lab/secrets-lab.ts';
import type { StrategyName } from '../../shared/rotation/strategy.ts';
import { callsBeyondTheRole } from './function-calls.ts';
import { FunctionOutput } from './function-output.ts';
import { type LeakWatch, watchLeaks } from './leaks.ts';
import { clientOf } from './secrets-lab-client.ts';
import { searchSharedLogsFor } from './shared-servers.ts';
import { type FunctionChoice, type SecretMembers, TestSecret } from './test-secret.ts';

export interface TestAccountOptions {
  /** How often the lab's Secrets Manager tries a failed rotation again. Default 0: a test sees the first failure. */
  readonly retries?: number;
}

/** The login that a secret is made for: an AppRole of the test's RoleScope is one. */
export interface SecretLogin {
  readonly name: string;
  readonly password: string;
  readonly database: string;
}

/** The packages that `npm run build` makes, which the integration tests build before they start. */
const bundleOf = (strategy: StrategyName) =>
  fileURLToPath(new URL(`../../dist/${strategy}/index.mjs`, import.meta.url));

/**
 * A small AWS account for the tests of one file: the lab's Secrets Manager and the built functions, each in processes
 * of its own. When it is closed it fails if anything that the functions wrote contains a secret's password, or if they
 * called what the roles of template.yaml would not allow.
 */
export class TestAccount implements AsyncDisposable {
  readonly lab: SecretsLab;
  readonly client: SecretsManagerClient;
  /** Whatever the functions wrote to stdout and stderr. */
  readonly output: FunctionOutput;
  /** Knows every password in the lab; when the account is closed it searches what the functions and the lab have said. */
  readonly leaks: LeakWatch;
  readonly #secrets: TestSecret[] = [];
  /** ARNs of the secrets that a function was called for. */
  readonly #rotated = new Set<string>();
  readonly #functions = new Map<string, string>();

  static async open({ retries = 0 }: TestAccountOptions = {}): Promise<TestAccount> {
    return new TestAccount(await startSecretsManager({ retries, retryDelayMs: 10 }));
  }

  private constructor(lab: SecretsLab) {
    this.lab = lab;
    this.client = clientOf(lab);
    this.output = new FunctionOutput(lab);
    this.leaks = watchLeaks(lab);
    lab.on((event) => {
      if (event.type === 'step-started') this.#rotated.add(event.secretArn);
    });
  }

  /** @returns the ARN of the built function. */
  function(choice: FunctionChoice): string {
    const { strategy, environment = {}, timeoutMs = 30_000, bundle = bundleOf(strategy) } = choice;
    return this.#register(bundle, environment, timeoutMs);
  }

  /** @returns the ARN of a function that fails at once, and so leaves a rotation at its beginning. */
  registersOnly(): string {
    return this.#register(REGISTERS_ONLY, {}, 30_000);
  }

  /** Stores a login as AWS's database secrets do, for the function to rotate. */
  async secretFor(
    server: Pick<PostgresServer, 'host' | 'port'>,
    login: SecretLogin,
    choice: FunctionChoice,
    members: SecretMembers = {},
  ): Promise<TestSecret> {
    return await this.store(choice, JSON.stringify({ ...membersFor(server, login), ...members }));
  }

  /** Stores any value, for the function to rotate. */
  async store(choice: FunctionChoice, value: string | Uint8Array): Promise<TestSecret> {
    const content = typeof value === 'string' ? { SecretString: value } : { SecretBinary: value };
    const created = await this.client.send(new CreateSecretCommand({ Name: `test-${randomUUID()}`, ...content }));
    const secret = new TestSecret(this, created.ARN ?? '', choice);
    this.#secrets.push(secret);
    return secret;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.leaks.verify();
      await searchSharedLogsFor(inject('postgres').sharedServers, [...this.leaks.passwords()]);
      for (const { arn } of this.#secrets) this.#rotated.add(arn);
      const beyond = callsBeyondTheRole(this.lab.requests.all(), [...this.#rotated]);
      if (beyond.length > 0) throw new Error(`The functions' roles would not allow these calls: ${beyond.join(', ')}.`);
    } finally {
      await this.lab.close();
      this.client.destroy();
    }
  }

  #register(bundle: string, environment: Readonly<Record<string, string>>, timeoutMs: number): string {
    const key = JSON.stringify([bundle, environment, timeoutMs]);
    const known = this.#functions.get(key);
    if (known !== undefined) return known;
    const name = `function-${this.#functions.size + 1}`;
    const arn = this.lab.functions.register({ name, bundle, environment: { ...environment }, timeoutMs });
    this.#functions.set(key, arn);
    return arn;
  }
}

/** The JSON members of a database secret, without TLS as the tests' plain servers have none. */
export function membersFor(server: Pick<PostgresServer, 'host' | 'port'>, login: SecretLogin): SecretMembers {
  return {
    engine: 'postgres',
    host: server.host,
    port: server.port,
    username: login.name,
    password: login.password,
    dbname: login.database,
    ssl: false,
  };
}
