import {
  CreateSecretCommand,
  DeleteSecretCommand,
  type Filter,
  GetSecretValueCommand,
  ListSecretsCommand,
  type ListSecretsCommandInput,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SecretsLab, startSecretsManager } from '../../../scripts/lab/secrets-lab.ts';
import { clientOf, refusal, sendRaw } from '../../support/secrets-lab-client.ts';

let lab: SecretsLab;
let client: SecretsManagerClient;

beforeAll(async () => {
  lab = await startSecretsManager();
  client = clientOf(lab);
  const create = (Name: string, Description?: string, tags: Record<string, string> = {}) =>
    client.send(
      new CreateSecretCommand({
        Name,
        Description,
        SecretString: 'x',
        Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
      }),
    );
  await create('prod/app-db', 'Main database of the shop', { team: 'Payments', env: 'prod' });
  await create('prod/billing', 'Invoices', { team: 'Finance' });
  await create('Dev/app-db', undefined, { env: 'dev' });
  await create('rds!master');
  lab.actAsService('rds!master', { owningService: 'rds' });
  await client.send(
    new CreateSecretCommand({ Name: 'spread', SecretString: 'x', AddReplicaRegions: [{ Region: 'eu-west-1' }] }),
  );
  await create('deleted');
  await client.send(new DeleteSecretCommand({ SecretId: 'deleted' }));
});
afterAll(async () => {
  client.destroy();
  await lab.close();
});

async function names(input: ListSecretsCommandInput = {}): Promise<(string | undefined)[]> {
  const { SecretList } = await client.send(new ListSecretsCommand(input));
  return (SecretList ?? []).map((secret) => secret.Name);
}

const ALL = ['prod/app-db', 'prod/billing', 'Dev/app-db', 'rds!master', 'spread'];

describe('ListSecrets', () => {
  it('lists by date of creation, without those scheduled for deletion unless asked', async () => {
    expect(await names()).toEqual(ALL);
    expect(await names({ IncludePlannedDeletion: true })).toEqual([...ALL, 'deleted']);
  });

  it('sorts', async () => {
    expect(await names({ SortBy: 'name', SortOrder: 'desc' })).toEqual([...ALL].sort().reverse());
    await client.send(new GetSecretValueCommand({ SecretId: 'prod/billing' }));
    expect((await names({ SortBy: 'last-accessed-date', SortOrder: 'desc' }))[0]).toBe('prod/billing');
  });

  it('describes each secret, with labels and without values', async () => {
    const { SecretList } = await client.send(
      new ListSecretsCommand({ Filters: [{ Key: 'name', Values: ['prod/app-db'] }] }),
    );
    expect(SecretList).toMatchObject([
      {
        Description: 'Main database of the shop',
        Tags: [
          { Key: 'team', Value: 'Payments' },
          { Key: 'env', Value: 'prod' },
        ],
      },
    ]);
    expect(Object.values(SecretList?.[0]?.SecretVersionsToStages ?? {})).toEqual([['AWSCURRENT']]);
    expect(SecretList?.[0]).not.toHaveProperty('SecretString');
  });

  it.each<[string, Filter[], string[]]>([
    ['a prefix of the name, case counting', [{ Key: 'name', Values: ['prod/'] }], ['prod/app-db', 'prod/billing']],
    ['not a part of the name', [{ Key: 'name', Values: ['app-db'] }], []],
    ['not another case of the name', [{ Key: 'name', Values: ['dev/'] }], []],
    ['any of several names', [{ Key: 'name', Values: ['Dev/', 'spread'] }], ['Dev/app-db', 'spread']],
    ['the rest, by !', [{ Key: 'name', Values: ['!prod/'] }], ['Dev/app-db', 'rds!master', 'spread']],
    [
      'a prefix of the description, whatever its case',
      [{ Key: 'description', Values: ['main data'] }],
      ['prod/app-db'],
    ],
    ['a tag key', [{ Key: 'tag-key', Values: ['team'] }], ['prod/app-db', 'prod/billing']],
    ['a tag value', [{ Key: 'tag-value', Values: ['Fin'] }], ['prod/billing']],
    ['not another case of a tag value', [{ Key: 'tag-value', Values: ['fin'] }], []],
    ['a primary region', [{ Key: 'primary-region', Values: ['us-'] }], ['spread']],
    ['an owning service', [{ Key: 'owning-service', Values: ['rds'] }], ['rds!master']],
    [
      'every filter',
      [
        { Key: 'tag-key', Values: ['env'] },
        { Key: 'name', Values: ['!prod/'] },
      ],
      ['Dev/app-db'],
    ],
    ['words of anything', [{ Key: 'all', Values: ['shop payments'] }], ['prod/app-db']],
    ['words of anything, each of which must be found', [{ Key: 'all', Values: ['shop finance'] }], []],
    ['words that begin words of a description', [{ Key: 'description', Values: ['sho ma'] }], ['prod/app-db']],
    ['not what is inside of a word', [{ Key: 'description', Values: ['hop'] }], []],
    ['words of the name', [{ Key: 'all', Values: ['DB'] }], ['prod/app-db', 'Dev/app-db']],
  ])('finds %s', async (_, Filters, expected) => {
    expect(await names({ Filters })).toEqual(expected);
  });

  it('pages through the list', async () => {
    const first = await client.send(new ListSecretsCommand({ MaxResults: 2 }));
    const second = await client.send(new ListSecretsCommand({ MaxResults: 2, NextToken: first.NextToken }));
    const third = await client.send(new ListSecretsCommand({ MaxResults: 2, NextToken: second.NextToken }));
    const pages = [first, second, third].map(({ SecretList }) => (SecretList ?? []).map((secret) => secret.Name));
    expect(pages).toEqual([ALL.slice(0, 2), ALL.slice(2, 4), ALL.slice(4)]);
    expect(third.NextToken).toBeUndefined();
  });

  it.each<[string, string, Record<string, unknown>]>([
    ['an unknown key', 'ValidationException', { Filters: [{ Key: 'arn', Values: ['x'] }] }],
    ['no key', 'InvalidParameterException', { Filters: [{ Values: ['x'] }] }],
    ['no values', 'InvalidParameterException', { Filters: [{ Key: 'name' }] }],
    ['an empty list of values', 'ValidationException', { Filters: [{ Key: 'name', Values: [] }] }],
    ['a value with illegal characters', 'ValidationException', { Filters: [{ Key: 'name', Values: ['a;b'] }] }],
    [
      '11 filters',
      'ValidationException',
      { Filters: Array.from({ length: 11 }, () => ({ Key: 'name', Values: ['x'] })) },
    ],
    ['0 results', 'ValidationException', { MaxResults: 0 }],
    ['101 results', 'ValidationException', { MaxResults: 101 }],
    ['an unknown order', 'ValidationException', { SortOrder: 'up' }],
    [
      "another operation's token",
      'InvalidNextTokenException',
      { NextToken: Buffer.from('BatchGetSecretValue 2').toString('base64') },
    ],
  ])('refuses %s', async (_, type, input) => {
    const { status, body } = await sendRaw(lab, 'ListSecrets', input);
    expect(status).toBe(400);
    expect(body.__type).toBe(type);
  });

  it('says which value was refused, as the service does', async () => {
    const refused = await refusal(client.send(new ListSecretsCommand({ MaxResults: 0 })));
    expect(refused.message).toBe(
      "1 validation error detected: Value '0' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1",
    );
  });
});
