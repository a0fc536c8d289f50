import { randomBytes, randomUUID } from 'node:crypto';
import {
  CancelRotateSecretCommand,
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretVersionIdsCommand,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { beginRotation } from '../../../scripts/lab/beginning.ts';

/** The login that a version holds, as far as the invariants need it. */
export interface StoredLogin {
  readonly username: string;
  readonly password: string;
}

/** A secret in the lab, seen and handled as an operator does: around the function, never through it. */
export class Subject {
  readonly arn: string;
  /** The application's login, and its twin's name. */
  readonly roles: readonly string[];
  /** All logins that the function uses for it. */
  readonly sessionsOf: readonly string[];
  readonly #client: SecretsManagerClient;
  readonly #function: string;
  /** A version's value never changes. */
  readonly #logins = new Map<string, StoredLogin>();

  /** @param registersOnly ARN of a function that fails at once, so that RotateSecret only registers the version. */
  constructor(
    client: SecretsManagerClient,
    {
      arn,
      role,
      superuser,
      registersOnly,
    }: { arn: string; role: string; superuser?: string | undefined; registersOnly: string },
  ) {
    this.arn = arn;
    this.roles = [role, `${role}_clone`];
    this.sessionsOf = superuser === undefined ? this.roles : [...this.roles, superuser];
    this.#client = client;
    this.#function = registersOnly;
  }

  /** Registers a new version as the service does before the first step. @returns its id. */
  async begin(settled: (secretId: string) => Promise<void>): Promise<string> {
    return await beginRotation(this.#client, { secretId: this.arn, functionArn: this.#function }, settled);
  }

  /** What an operator does with a rotation that hangs: cancel it, and take its label off. */
  async giveUp(token: string): Promise<void> {
    await this.#client.send(new CancelRotateSecretCommand({ SecretId: this.arn }));
    const labels = await this.labels();
    if (labels.AWSPENDING !== token) return;
    await this.#client.send(
      new UpdateSecretVersionStageCommand({
        SecretId: this.arn,
        VersionStage: 'AWSPENDING',
        RemoveFromVersionId: token,
      }),
    );
  }

  /** Ids of versions by staging label. */
  async labels(): Promise<Readonly<Record<string, string>>> {
    const { VersionIdsToStages = {} } = await this.#client.send(new DescribeSecretCommand({ SecretId: this.arn }));
    return Object.fromEntries(
      Object.entries(VersionIdsToStages).flatMap(([id, stages]) => stages.map((stage) => [stage, id])),
    );
  }

  async current(): Promise<StoredLogin> {
    return loginIn(await this.currentText());
  }

  async currentText(): Promise<string> {
    const answer = await this.#client.send(
      new GetSecretValueCommand({ SecretId: this.arn, VersionStage: 'AWSCURRENT' }),
    );
    return answer.SecretString ?? '';
  }

  /** The logins of all versions that have a value, those without a label included. */
  async logins(): Promise<readonly StoredLogin[]> {
    const { Versions = [] } = await this.#client.send(
      new ListSecretVersionIdsCommand({ SecretId: this.arn, IncludeDeprecated: true, MaxResults: 100 }),
    );
    for (const { VersionId = '' } of Versions) {
      if (this.#logins.has(VersionId)) continue;
      const login = await this.#read(VersionId);
      if (login !== undefined) this.#logins.set(VersionId, login);
    }
    return [...this.#logins.values()];
  }

  async hasValue(versionId: string): Promise<boolean> {
    return this.#logins.has(versionId) || (await this.#read(versionId)) !== undefined;
  }

  async #read(versionId: string): Promise<StoredLogin | undefined> {
    try {
      const answer = await this.#client.send(new GetSecretValueCommand({ SecretId: this.arn, VersionId: versionId }));
      return loginIn(answer.SecretString);
    } catch (error) {
      // Registered, and without a value yet.
      if (error instanceof Error && error.name === 'ResourceNotFoundException') return undefined;
      throw error;
    }
  }
}

function loginIn(text: string | undefined): StoredLogin {
  const { username, password } = JSON.parse(text ?? '{}');
  if (typeof username !== 'string' || typeof password !== 'string')
    throw new Error('A version should hold a user and a password, and does not.');
  return { username, password };
}

/** Stores a secret. @returns its ARN. */
export async function storeSecret(client: SecretsManagerClient, name: string, value: object): Promise<string> {
  const created = await client.send(
    new CreateSecretCommand({ Name: `${name}-${randomUUID()}`, SecretString: JSON.stringify(value) }),
  );
  return created.ARN ?? '';
}

export function newPassword(): string {
  return randomBytes(18).toString('base64url');
}
