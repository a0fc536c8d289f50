/** KMS, as far as keys and their aliases: nothing is encrypted in the lab. */
import { randomUUID } from 'node:crypto';
import { ACCOUNT_ID } from '../account.ts';
import type { Input } from '../http/input.ts';
import { ServiceError } from '../http/service.ts';
import type { AccountResources, Key } from '../resources.ts';
import { type JsonOperation, jsonService } from './json-service.ts';

const createKey: JsonOperation = (input, { resources }, region) => {
  const description = input.text('Description', { max: 8192 }) ?? '';
  input.choice('KeySpec', ['SYMMETRIC_DEFAULT']);
  input.choice('KeyUsage', ['ENCRYPT_DECRYPT']);
  const key: Key = { id: randomUUID(), region, description };
  resources.keys.push(key);
  return { KeyMetadata: describe(key, region) };
};

const describeKey: JsonOperation = (input, { resources }, region) => ({
  KeyMetadata: describe(find(resources, region, keyId(input, 'KeyId')), region),
});

const listKeys: JsonOperation = (input, { resources }, region) => {
  const Keys = resources.keysIn(region).map(({ id }) => ({ KeyId: id, KeyArn: arnOf(id, region) }));
  return page(input, 'Keys', Keys);
};

const createAlias: JsonOperation = (input, { resources }, region) => {
  const name = input.requiredText('AliasName', { min: 1, max: 256, pattern: /^alias\/[a-zA-Z0-9/_-]+$/ });
  if (name.startsWith('alias/aws/')) throw new ServiceError('NotAuthorizedException', '');
  const key = find(resources, region, keyId(input, 'TargetKeyId'));
  if (resources.findKey(region, name) !== undefined) {
    throw new ServiceError('AlreadyExistsException', `An alias with the name ${prefix(region)}${name} already exists`);
  }
  resources.keys.splice(resources.keys.indexOf(key), 1, { ...key, aliases: [...(key.aliases ?? []), name] });
  return {};
};

const listAliases: JsonOperation = (input, { resources }, region) => {
  const wanted = input.has('KeyId') ? find(resources, region, keyId(input, 'KeyId')) : undefined;
  const keys = resources.keysIn(region).filter((key) => wanted === undefined || key === wanted);
  const Aliases = keys.flatMap(({ id, aliases = [] }) =>
    aliases.map((name) => ({ AliasName: name, AliasArn: prefix(region) + name, TargetKeyId: id })),
  );
  return page(input, 'Aliases', Aliases);
};

const keyId = (input: Input, name: string) => input.requiredText(name, { min: 1, max: 2048 });

const prefix = (region: string) => `arn:aws:kms:${region}:${ACCOUNT_ID}:`;

const arnOf = (id: string, region: string) => `${prefix(region)}key/${id}`;

function find(resources: AccountResources, region: string, id: string): Key {
  const key = resources.findKey(region, id);
  if (key !== undefined) return key;
  const local = id.startsWith(prefix(region)) ? id.slice(prefix(region).length) : id;
  if (local.startsWith('alias/')) throw notFound(`Alias ${prefix(region)}${local} is not found.`);
  throw notFound(`Key '${arnOf(local.replace(/^key\//, ''), region)}' does not exist`);
}

const notFound = (message: string) => new ServiceError('NotFoundException', message);

/** As KMS pages: Limit, Marker, NextMarker. */
function page(input: Input, name: string, items: readonly object[]): object {
  const limit = input.integer('Limit', { min: 1, max: 1000 }) ?? 100;
  const start = Number(input.text('Marker', { min: 1, max: 1024, pattern: /^\d+$/ }) ?? 0);
  const end = start + limit;
  const more = end < items.length ? { Truncated: true, NextMarker: String(end) } : { Truncated: false };
  return { [name]: items.slice(start, end), ...more };
}

function describe({ id, state = 'Enabled', description = '', managedByAws = false }: Key, region: string): object {
  return {
    AWSAccountId: ACCOUNT_ID,
    KeyId: id,
    Arn: arnOf(id, region),
    Description: description,
    KeyState: state,
    Enabled: state === 'Enabled',
    KeyManager: managedByAws ? 'AWS' : 'CUSTOMER',
    KeySpec: 'SYMMETRIC_DEFAULT',
    KeyUsage: 'ENCRYPT_DECRYPT',
    Origin: 'AWS_KMS',
    MultiRegion: false,
  };
}

export const kms = jsonService('kms', 'TrentService', {
  CreateKey: createKey,
  DescribeKey: describeKey,
  ListKeys: listKeys,
  CreateAlias: createAlias,
  ListAliases: listAliases,
});
