import { randomUUID } from 'node:crypto';
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  ResourceNotFoundException,
  RotateSecretCommand,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { expect, test } from 'vitest';
import { STEPS } from '../../../shared/rotation/event.ts';
import { accepted } from '../../support/login-proof.ts';
import { startMoto } from '../../support/moto.ts';
import { roleScope, sharedServer } from '../../support/postgres.ts';
import { clientOf } from '../../support/secrets-lab-client.ts';
import { membersFor, TestAccount } from '../../support/test-account.ts';

// A second opinion: our own Secrets Manager and the functions could share a misunderstanding.
test("the four steps, twice over, on moto's Secrets Manager", async (context) => {
  await using moto = await startMoto(context);
  const { endpoint } = moto;
  const client = clientOf({ endpoint });
  await using account = await TestAccount.open();
  const server = await sharedServer();
  await using scope = roleScope(server);
  const app = await scope.createAppRole();
  const SecretString = JSON.stringify({ ...membersFor(server, app), id: 1 });
  const { ARN = '' } = await client.send(new CreateSecretCommand({ Name: 'app', SecretString }));
  const rotationFunction = account.function({
    strategy: 'single-user',
    environment: { SECRETS_MANAGER_ENDPOINT: endpoint },
  });

  const passwords = [app.password];
  for (const round of [1, 2]) {
    const token = await registerPending(client, ARN);
    for (const Step of STEPS) {
      const event = { Step, SecretId: ARN, ClientRequestToken: token };
      expect(await account.lab.functions.invoke(rotationFunction, event), `${Step} of round ${round}`).toMatchObject({
        ok: true,
      });
    }
    expect(await currentVersion(client, ARN)).toBe(token);
    passwords.push(await currentPassword(client, ARN));
    expect(await accepted(server, app, passwords)).toEqual(passwords.map((_, index) => index === round));
    await takeOffPending(client, ARN, token);
  }
  expect(passwords.filter((password) => account.output.contains(password))).toEqual([]);
  client.destroy();
});

/** moto registers the version and then fails to find the function, which is as far as it is wanted here. */
async function registerPending(client: SecretsManagerClient, SecretId: string): Promise<string> {
  const ClientRequestToken = randomUUID();
  const rotate = new RotateSecretCommand({
    SecretId,
    ClientRequestToken,
    RotationLambdaARN: 'arn:aws:lambda:us-east-1:123456789012:function:none',
    RotationRules: { AutomaticallyAfterDays: 30 },
  });
  await expect(client.send(rotate)).rejects.toBeInstanceOf(ResourceNotFoundException);
  return ClientRequestToken;
}

/** As the service does after finishSecret, and moto does not. */
async function takeOffPending(client: SecretsManagerClient, SecretId: string, RemoveFromVersionId: string) {
  await client.send(new UpdateSecretVersionStageCommand({ SecretId, VersionStage: 'AWSPENDING', RemoveFromVersionId }));
}

async function currentVersion(client: SecretsManagerClient, SecretId: string): Promise<string | undefined> {
  const { VersionIdsToStages = {} } = await client.send(new DescribeSecretCommand({ SecretId }));
  return Object.keys(VersionIdsToStages).find((id) => VersionIdsToStages[id]?.includes('AWSCURRENT'));
}

async function currentPassword(client: SecretsManagerClient, SecretId: string): Promise<string> {
  const { SecretString = '{}' } = await client.send(
    new GetSecretValueCommand({ SecretId, VersionStage: 'AWSCURRENT' }),
  );
  return JSON.parse(SecretString).password;
}
