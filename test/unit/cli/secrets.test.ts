import { randomUUID } from 'node:crypto';
import { CreateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { expect, it } from 'vitest';
import { versionCreated } from '../../../cli/secrets.ts';
import { startSecretsManager } from '../../../scripts/lab/secrets-lab.ts';
import { clientWithNextToken, freshName } from '../../support/secrets-lab-client.ts';

it('when a version was made is told, or not known, also where the list ends with an empty NextToken, as from moto', async () => {
  await using lab = await startSecretsManager();
  using odd = clientWithNextToken(lab, '');
  const create = new CreateSecretCommand({ Name: freshName(), SecretString: 'v1' });
  const { ARN = '', VersionId = '' } = await odd.client.send(create);
  const aws = { secretsManager: odd.client };

  expect(await versionCreated({ aws }, ARN, VersionId)).toBeInstanceOf(Date);
  expect(await versionCreated({ aws }, ARN, randomUUID())).toBeUndefined();
  expect(odd.pages).toBe(2);
});
