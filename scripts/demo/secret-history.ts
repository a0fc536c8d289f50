import { GetSecretValueCommand, ListSecretVersionIdsCommand } from '@aws-sdk/client-secrets-manager';
import type { Lab } from '../lab/lab.ts';

export interface Login {
  readonly user: string;
  readonly password: string;
}

export interface VersionFacts {
  readonly labels: readonly string[];
  readonly username: string;
}

/** A secret's versions by id, in the order in which they were made. */
export type SecretHistory = ReadonlyMap<string, VersionFacts>;

export async function historyOf(lab: Pick<Lab, 'client'>, secretArn: string): Promise<SecretHistory> {
  const { Versions = [] } = await lab.client.send(
    new ListSecretVersionIdsCommand({ SecretId: secretArn, IncludeDeprecated: true }),
  );
  const oldestFirst = Versions.toSorted((a, b) => Number(a.CreatedDate) - Number(b.CreatedDate));
  const facts = oldestFirst.map(async ({ VersionId = '', VersionStages = [] }) => {
    const { user } = await loginOf(lab, secretArn, { VersionId });
    return [VersionId, { labels: VersionStages, username: user }] as const;
  });
  return new Map(await Promise.all(facts));
}

/** The login that a version holds: as an application reads it, AWSCURRENT. */
export async function loginOf(
  { client }: Pick<Lab, 'client'>,
  secretArn: string,
  version: { readonly VersionId?: string } = {},
): Promise<Login> {
  const { SecretString = '{}' } = await client.send(new GetSecretValueCommand({ SecretId: secretArn, ...version }));
  const { username, password }: Readonly<Record<string, unknown>> = JSON.parse(SecretString);
  if (typeof username !== 'string' || typeof password !== 'string') {
    throw new Error('The secret should hold a username and a password, and does not.');
  }
  return { user: username, password };
}
