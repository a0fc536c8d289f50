/** The KMS key that a secret is encrypted under: it has to exist, in the secret's region. */
import { ACCOUNT_ID } from '../account.ts';
import type { AccountResources } from '../resources.ts';
import { invalidParameter } from './errors.ts';

/**
 * @param id of a key, its ARN, an alias or an alias's ARN.
 * @returns the same.
 * @throws InvalidParameterException where there is no such key.
 */
export function checkedKey(resources: AccountResources, region: string, id: string): string {
  if (resources.findKey(region, id) !== undefined) return id;
  const prefix = `arn:aws:kms:${region}:${ACCOUNT_ID}:`;
  const local = id.startsWith(prefix) ? id.slice(prefix.length) : id;
  // For aliases KMS's own words; that Secrets Manager hands them on is not recorded (docs/lab.md).
  const reason = local.startsWith('alias/') ? `Alias ${prefix}${local} is not found.` : 'Invalid keyId';
  throw invalidParameter(`The operation failed because of an invalid KMS key: ${reason}`);
}
