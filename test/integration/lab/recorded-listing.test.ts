/** How the filters of ListSecrets search, by moto's tests that were run against AWS; told here in our own words. */
import { CreateSecretCommand, type Filter, ListSecretsCommand, type Tag } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { startSecretsManager } from '../../../scripts/lab/secrets-lab.ts';
import { clientOf } from '../../support/secrets-lab-client.ts';

interface Listed {
  readonly name: string;
  readonly description?: string;
  readonly tag?: Tag;
}

/** An account with these secrets and no others. */
async function accountWith(secrets: readonly Listed[]) {
  const lab = await startSecretsManager();
  const client = clientOf(lab);
  for (const { name: Name, description: Description, tag } of secrets) {
    await client.send(new CreateSecretCommand({ Name, SecretString: 's', Description, Tags: tag && [tag] }));
  }
  return {
    /** Names, in the order in which they are listed. */
    async find(Key: Filter['Key'], ...Values: string[]) {
      const { SecretList = [] } = await client.send(new ListSecretsCommand({ Filters: [{ Key, Values }] }));
      return SecretList.map(({ Name }) => Name);
    },
    async [Symbol.asyncDispose]() {
      client.destroy();
      await lab.close();
    },
  };
}

describe('"all"', () => {
  it('finds words by their beginning, humps being words, in names, descriptions and tags', async () => {
    const [one, two, third, tagged, keyed] = ['SecretOne', 'SecretTwo', 'Thirdsecret', 'SecretFTag', 'SecretFValue'];
    await using account = await accountWith([
      { name: 'SecretOne' },
      { name: 'SecretTwo', description: 'DescTwo' },
      { name: 'Thirdsecret' },
      { name: 'SecretFTag', tag: { Key: '1', Value: 'foo' } },
      { name: 'SecretFValue', tag: { Key: 'foo', Value: 'v' } },
      { name: 'none' },
    ]);
    const everySecret = [one, two, tagged, keyed];
    expect(await account.find('all', 'SecretOne')).toEqual([one]);
    expect(await account.find('all', 'foo')).toEqual([tagged, keyed]);
    expect(await account.find('all', 'Secret')).toEqual(everySecret);
    expect(await account.find('all', 'secret')).toEqual(everySecret);
    expect(await account.find('all', 'sec')).toEqual(everySecret);
    expect(await account.find('all', 'ret')).toEqual([]);
    expect(await account.find('all', 'SomeSecret')).toEqual([]);
    expect(await account.find('all', 'd')).toEqual([two]);
    expect(await account.find('all', 'd t')).toEqual([two]);
    expect(await account.find('all', 't')).toEqual([two, third, tagged]);
  });

  it('ends words at signs, and at a capital only before a small letter: COMPANYthings is COMPAN and Ythings', async () => {
    const apps = ['/', '_', '+', '=', '.', '@', '-'].map((sign) => `prod${sign}AppBeta${sign}1a2b3c`);
    const companies = ['uat/COMPANY/1a2b3c', 'uat/COMPANYthings/1a2b3c'];
    await using account = await accountWith([...apps, ...companies].map((name) => ({ name })));
    expect(await account.find('all', 'AppBeta')).toEqual(apps);
    expect(await account.find('all', 'Beta')).toEqual(apps);
    expect(await account.find('all', 'AppBeta', 'prod')).toEqual(apps);
    expect(await account.find('all', '+')).toEqual([]);
    expect(await account.find('all', '1a2b3c')).toEqual([...apps, ...companies]);
    expect(await account.find('all', 'company')).toEqual(companies.slice(0, 1));
    expect(await account.find('all', 'things')).toEqual([]);
    expect(await account.find('all', 'Ythings')).toEqual(companies.slice(1));
    expect(await account.find('all', 'N')).toEqual([]);
    expect(await account.find('all', 'pany')).toEqual([]);
  });
});

describe('"description"', () => {
  it('finds what has a word for each of the text, and every filter has to be passed', async () => {
    await using account = await accountWith([
      { name: 'foo', description: 'one two' },
      { name: 'bar', description: 'one and two' },
      { name: 'baz', description: 'one' },
      { name: 'qux', description: 'two' },
      { name: 'none', description: 'unrelated' },
    ]);
    expect(await account.find('description', 'one two')).toEqual(['foo', 'bar']);
    expect(await account.find('description', 'o t')).toEqual(['foo', 'bar']);
    expect(await account.find('description', 't')).toEqual(['foo', 'bar', 'qux']);
    expect(await account.find('description', 'one', '!two')).toEqual(['foo', 'bar', 'baz', 'none']);
  });
});
