/** KMS, as far as DescribeKey. */
import { ACCOUNT_ID } from '../account.ts';
import { ServiceError } from '../http/service.ts';
import { type JsonOperation, jsonService } from './json-service.ts';

const describeKey: JsonOperation = (input, { resources }, region) => {
  const id = input.requiredText('KeyId', { min: 1, max: 2048 });
  const arnPrefix = `arn:aws:kms:${region}:${ACCOUNT_ID}:`;
  const local = id.startsWith(arnPrefix) ? id.slice(arnPrefix.length) : id;
  const key = resources.keys.find(({ id, aliases = [] }) => [id, `key/${id}`, ...aliases].includes(local));
  if (key === undefined) throw new ServiceError('NotFoundException', `Key '${arnPrefix}key/${id}' does not exist`);
  const { state = 'Enabled' } = key;
  return {
    KeyMetadata: {
      AWSAccountId: ACCOUNT_ID,
      KeyId: key.id,
      Arn: `${arnPrefix}key/${key.id}`,
      KeyState: state,
      Enabled: state === 'Enabled',
      KeyManager: 'CUSTOMER',
      KeySpec: 'SYMMETRIC_DEFAULT',
      KeyUsage: 'ENCRYPT_DECRYPT',
    },
  };
};

export const kms = jsonService('kms', 'TrentService', { DescribeKey: describeKey });
