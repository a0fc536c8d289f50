import {
  CreateSecretCommand,
  DeleteResourcePolicyCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetRandomPasswordCommand,
  type GetRandomPasswordCommandInput,
  GetResourcePolicyCommand,
  GetSecretValueCommand,
  PutResourcePolicyCommand,
  PutSecretValueCommand,
  RestoreSecretCommand,
  type SecretsManagerClient,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateSecretCommand,
  ValidateResourcePolicyCommand,
} from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startClock } from '../../../scripts/lab/clock.ts';
import { type SecretsLab, startSecretsManager } from '../../../scripts/lab/secrets-lab.ts';
import { clientOf, eventually, freshName, newToken, refusal } from '../../support/secrets-lab-client.ts';

let lab: SecretsLab;
let client: SecretsManagerClient;
beforeAll(async () => {
  lab = await startSecretsManager();
  lab.resources.keys.push({ id: 'k', aliases: ['alias/k'] });
  client = clientOf(lab);
});
afterAll(async () => {
  client.destroy();
  await lab.close();
});

async function createSecret(Name = freshName(), SecretString = 'first') {
  const { ARN = '', VersionId = '' } = await client.send(new CreateSecretCommand({ Name, SecretString }));
  return { Name, ARN, VersionId };
}

const describeSecret = (SecretId: string) => client.send(new DescribeSecretCommand({ SecretId }));
const readSecret = (SecretId: string) => client.send(new GetSecretValueCommand({ SecretId }));

const NAME_MESSAGE =
  'Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!';
const NOT_FOUND = { name: 'ResourceNotFoundException', message: "Secrets Manager can't find the specified secret." };

describe('CreateSecret', () => {
  it('makes the value AWSCURRENT under the token', async () => {
    const token = newToken();
    const Name = freshName();
    const created = await client.send(new CreateSecretCommand({ Name, SecretString: 'v', ClientRequestToken: token }));
    expect(created).toMatchObject({ Name, VersionId: token });
    expect(await readSecret(Name)).toMatchObject({
      SecretString: 'v',
      VersionId: token,
      VersionStages: ['AWSCURRENT'],
    });
  });

  it('without a value makes no version', async () => {
    const Name = freshName();
    const created = await client.send(new CreateSecretCommand({ Name }));
    expect(created.VersionId).toBeUndefined();
    expect((await describeSecret(Name)).VersionIdsToStages).toBeUndefined();
    expect(await refusal(readSecret(Name))).toEqual({
      name: 'ResourceNotFoundException',
      message: "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT",
    });
  });

  it('keeps bytes, description, key and tags', async () => {
    const Name = freshName();
    const SecretBinary = new Uint8Array([0, 255, 10, 128]);
    await client.send(
      new CreateSecretCommand({
        Name,
        SecretBinary,
        Description: 'd',
        KmsKeyId: 'alias/k',
        Tags: [{ Key: 'a', Value: 'b' }],
      }),
    );
    const value = await readSecret(Name);
    expect(value.SecretBinary).toEqual(SecretBinary);
    expect(value.SecretString).toBeUndefined();
    expect(await describeSecret(Name)).toMatchObject({
      Description: 'd',
      KmsKeyId: 'alias/k',
      Tags: [{ Key: 'a', Value: 'b' }],
    });
  });

  it('refuses a name that is taken', async () => {
    const { Name } = await createSecret();
    expect(await refusal(createSecret(Name))).toEqual({
      name: 'ResourceExistsException',
      message: `The operation failed because the secret ${Name} already exists.`,
    });
  });

  it('answers the same request twice, and refuses the same token with another value', async () => {
    const request = { Name: freshName(), SecretString: 'v', ClientRequestToken: newToken() };
    const first = await client.send(new CreateSecretCommand(request));
    expect(await client.send(new CreateSecretCommand(request))).toMatchObject({
      ARN: first.ARN,
      VersionId: first.VersionId,
    });
    const other = client.send(new CreateSecretCommand({ ...request, SecretString: 'w' }));
    expect(await refusal(other)).toEqual({
      name: 'ResourceExistsException',
      message: `You can't use ClientRequestToken ${request.ClientRequestToken} because that value is already in use for a version of secret ${first.ARN}.`,
    });
  });

  it.each(['has space', 'semi;colon', 'quote"', 'näme', 'co:lon'])('refuses the name %s', async (Name) => {
    expect(await refusal(createSecret(Name))).toEqual({ name: 'ValidationException', message: NAME_MESSAGE });
  });

  it.each([
    ['31 characters', 'x'.repeat(31)],
    ['65 characters', 'x'.repeat(65)],
  ])('refuses a token of %s', async (_, ClientRequestToken) => {
    const sent = client.send(new CreateSecretCommand({ Name: freshName(), SecretString: 'v', ClientRequestToken }));
    expect(await refusal(sent)).toEqual({
      name: 'InvalidParameterException',
      message: 'ClientRequestToken must be 32-64 characters long.',
    });
  });

  it('holds 65,536 bytes and not one more', async () => {
    const { Name } = await createSecret(freshName(), 'é'.repeat(32_768));
    expect((await readSecret(Name)).SecretString).toHaveLength(32_768);
    expect((await refusal(createSecret(freshName(), `${'é'.repeat(32_768)}x`))).name).toBe('ValidationException');
    expect((await refusal(createSecret(freshName(), ''))).name).toBe('InvalidRequestException');
  });

  it('refuses a string and bytes together', async () => {
    const sent = client.send(
      new CreateSecretCommand({ Name: freshName(), SecretString: 's', SecretBinary: new Uint8Array([1]) }),
    );
    expect((await refusal(sent)).name).toBe('InvalidParameterException');
  });
});

describe('finding a secret', () => {
  it('takes the name, the full ARN and the ARN without its suffix', async () => {
    const { Name, ARN } = await createSecret(freshName('path/to/it'));
    for (const id of [Name, ARN, ARN.slice(0, -7)]) expect((await describeSecret(id)).ARN).toBe(ARN);
  });

  it('does not take the ARN without suffix where the name ends in a hyphen and six characters', async () => {
    const { ARN } = await createSecret('prod-db-abc123');
    expect((await describeSecret(ARN)).ARN).toBe(ARN);
    expect(await refusal(describeSecret(ARN.slice(0, -7)))).toEqual(NOT_FOUND);
  });

  it('finds nothing by part of a name or by a wrong suffix', async () => {
    const { Name, ARN } = await createSecret(freshName('whole'));
    expect(await refusal(describeSecret(Name.slice(0, -1)))).toEqual(NOT_FOUND);
    expect(await refusal(describeSecret(`${ARN.slice(0, -6)}zzzzzz`))).toEqual(NOT_FOUND);
  });

  it('refuses an id with illegal characters', async () => {
    expect(await refusal(describeSecret('a b'))).toEqual({ name: 'ValidationException', message: NAME_MESSAGE });
  });
});

describe('UpdateSecret', () => {
  it('changes the description alone without making a version', async () => {
    const { Name, VersionId } = await createSecret();
    const updated = await client.send(new UpdateSecretCommand({ SecretId: Name, Description: 'new' }));
    expect(updated.VersionId).toBeUndefined();
    const described = await describeSecret(Name);
    expect(described.Description).toBe('new');
    expect(described.VersionIdsToStages).toEqual({ [VersionId]: ['AWSCURRENT'] });
  });

  it('makes a new AWSCURRENT of a value', async () => {
    const { Name, VersionId } = await createSecret();
    const updated = await client.send(new UpdateSecretCommand({ SecretId: Name, SecretString: 'second' }));
    expect((await describeSecret(Name)).VersionIdsToStages).toEqual({
      [VersionId]: ['AWSPREVIOUS'],
      [updated.VersionId ?? '']: ['AWSCURRENT'],
    });
  });

  it('refuses a token in use for another value', async () => {
    const { Name, ARN, VersionId } = await createSecret();
    const sent = client.send(
      new UpdateSecretCommand({ SecretId: Name, SecretString: 'other', ClientRequestToken: VersionId }),
    );
    expect(await refusal(sent)).toEqual({
      name: 'ResourceExistsException',
      message: `You can't use ClientRequestToken ${VersionId} because that value is already in use for a version of secret ${ARN}.`,
    });
  });

  it.each([
    ['key', 'no-such-key', 'Invalid keyId'],
    ['ARN', 'arn:aws:kms:us-east-1:123456789012:key/no-such-key', 'Invalid keyId'],
    ["name without the alias's prefix", 'k-alias', 'Invalid keyId'],
    ['alias', 'alias/none', 'Alias arn:aws:kms:us-east-1:123456789012:alias/none is not found.'],
  ])('and CreateSecret refuse a %s that does not exist', async (_, KmsKeyId, reason) => {
    const refused = {
      name: 'InvalidParameterException',
      message: `The operation failed because of an invalid KMS key: ${reason}`,
    };
    const { Name } = await createSecret();
    expect(await refusal(client.send(new UpdateSecretCommand({ SecretId: Name, KmsKeyId })))).toEqual(refused);
    const create = client.send(new CreateSecretCommand({ Name: freshName(), SecretString: 'x', KmsKeyId }));
    expect(await refusal(create)).toEqual(refused);
  });

  it("takes the account's own key of Secrets Manager, by its alias", async () => {
    const { Name } = await createSecret();
    await client.send(new UpdateSecretCommand({ SecretId: Name, KmsKeyId: 'alias/aws/secretsmanager' }));
    expect((await describeSecret(Name)).KmsKeyId).toBe('alias/aws/secretsmanager');
  });

  it('an empty Description takes the description away, and makes none', async () => {
    const Name = freshName();
    await client.send(new CreateSecretCommand({ Name, Description: '' }));
    expect(await describeSecret(Name)).not.toHaveProperty('Description');
    await client.send(new UpdateSecretCommand({ SecretId: Name, Description: 'd' }));
    expect((await describeSecret(Name)).Description).toBe('d');
    await client.send(new UpdateSecretCommand({ SecretId: Name, Description: '' }));
    expect(await describeSecret(Name)).not.toHaveProperty('Description');
  });

  it('knows the Type of a managed external secret', async () => {
    const Name = freshName();
    await client.send(new CreateSecretCommand({ Name, Type: 'SomePartner' }));
    expect((await describeSecret(Name)).Type).toBe('SomePartner');
    await client.send(new UpdateSecretCommand({ SecretId: Name, Type: 'OtherPartner' }));
    expect((await describeSecret(Name)).Type).toBe('OtherPartner');
  });

  it('goes back to the default key with an empty KmsKeyId', async () => {
    const { Name } = await createSecret();
    await client.send(new UpdateSecretCommand({ SecretId: Name, KmsKeyId: 'alias/k' }));
    expect((await describeSecret(Name)).KmsKeyId).toBe('alias/k');
    await client.send(new UpdateSecretCommand({ SecretId: Name, KmsKeyId: '' }));
    expect((await describeSecret(Name)).KmsKeyId).toBeUndefined();
  });
});

describe('dates', () => {
  it('shows LastAccessedDate only after a read, to the day', async () => {
    const { Name } = await createSecret();
    expect((await describeSecret(Name)).LastAccessedDate).toBeUndefined();
    await readSecret(Name);
    const midnight = new Date(new Date().toISOString().slice(0, 10));
    expect((await describeSecret(Name)).LastAccessedDate).toEqual(midnight);
  });

  it('moves LastChangedDate and leaves CreatedDate', async () => {
    const { Name } = await createSecret();
    const before = await describeSecret(Name);
    await eventually(() => (Date.now() > (before.LastChangedDate?.getTime() ?? 0) + 1 ? true : undefined));
    await client.send(new TagResourceCommand({ SecretId: Name, Tags: [{ Key: 'k', Value: 'v' }] }));
    const after = await describeSecret(Name);
    expect(after.CreatedDate).toEqual(before.CreatedDate);
    expect(after.LastChangedDate?.getTime()).toBeGreaterThan(before.LastChangedDate?.getTime() ?? 0);
    expect(after.LastRotatedDate).toBeUndefined();
    expect(after.RotationEnabled).toBeUndefined();
  });
});

describe('DeleteSecret and RestoreSecret', () => {
  const MARKED = {
    name: 'InvalidRequestException',
    message: "You can't perform this operation on the secret because it was marked for deletion.",
  };

  it('schedules deletion in 30 days by default, and the secret is closed until it is restored', async () => {
    const { Name } = await createSecret();
    const { DeletionDate } = await client.send(new DeleteSecretCommand({ SecretId: Name }));
    const days = ((DeletionDate?.getTime() ?? 0) - Date.now()) / 86_400_000;
    expect(days).toBeCloseTo(30, 2);
    expect((await describeSecret(Name)).DeletedDate).toEqual(DeletionDate);
    expect(await refusal(readSecret(Name))).toEqual(MARKED);
    expect(await refusal(client.send(new PutSecretValueCommand({ SecretId: Name, SecretString: 'x' })))).toEqual(
      MARKED,
    );
    expect(await refusal(createSecret(Name))).toEqual({
      name: 'InvalidRequestException',
      message: "You can't create this secret because a secret with this name is already scheduled for deletion.",
    });
    await client.send(new RestoreSecretCommand({ SecretId: Name }));
    expect((await readSecret(Name)).SecretString).toBe('first');
    expect((await describeSecret(Name)).DeletedDate).toBeUndefined();
  });

  it.each([0, 6, 31])('refuses a window of %i days', async (RecoveryWindowInDays) => {
    const { Name } = await createSecret();
    const sent = client.send(new DeleteSecretCommand({ SecretId: Name, RecoveryWindowInDays }));
    expect((await refusal(sent)).name).toBe('InvalidParameterException');
  });

  it('refuses a window together with force', async () => {
    const { Name } = await createSecret();
    const sent = client.send(
      new DeleteSecretCommand({ SecretId: Name, RecoveryWindowInDays: 7, ForceDeleteWithoutRecovery: true }),
    );
    expect((await refusal(sent)).name).toBe('InvalidParameterException');
  });

  it('forgets a secret at once when forced, and the name is free again', async () => {
    const { Name, ARN } = await createSecret();
    await client.send(new DeleteSecretCommand({ SecretId: Name, ForceDeleteWithoutRecovery: true }));
    expect(await refusal(describeSecret(Name))).toEqual(NOT_FOUND);
    expect((await createSecret(Name)).ARN).not.toBe(ARN);
  });

  it('succeeds when a secret that does not exist is deleted by force, and only then', async () => {
    const forced = await client.send(
      new DeleteSecretCommand({ SecretId: 'never-was', ForceDeleteWithoutRecovery: true }),
    );
    expect(forced).toMatchObject({
      Name: 'never-was',
      ARN: expect.stringMatching(/:secret:never-was-[A-Za-z0-9]{6}$/),
    });
    const SecretId = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:a/never-was-a1B2c3';
    const byArn = await client.send(new DeleteSecretCommand({ SecretId, ForceDeleteWithoutRecovery: true }));
    expect(byArn).toMatchObject({ ARN: SecretId, Name: 'a/never-was' });
    expect(await refusal(client.send(new DeleteSecretCommand({ SecretId: 'never-was' })))).toEqual(NOT_FOUND);
  });

  it('forgets the secret when its window ends', async () => {
    await using fast = await startSecretsManager({ clock: startClock({ timeScale: 10_000_000 }) });
    const fastClient = clientOf(fast);
    const Name = freshName();
    await fastClient.send(new CreateSecretCommand({ Name, SecretString: 'x' }));
    await fastClient.send(new DeleteSecretCommand({ SecretId: Name, RecoveryWindowInDays: 7 }));
    await eventually(async () => {
      const gone = await fastClient.send(new DescribeSecretCommand({ SecretId: Name })).then(
        () => false,
        (error: Error) => error.name === 'ResourceNotFoundException',
      );
      return gone || undefined;
    });
  });
});

describe('tags', () => {
  it('are absent at first, replaced by key, and an empty list after the last untag', async () => {
    const { Name } = await createSecret();
    expect((await describeSecret(Name)).Tags).toBeUndefined();
    await client.send(
      new TagResourceCommand({
        SecretId: Name,
        Tags: [
          { Key: 'a', Value: '1' },
          { Key: 'b', Value: '' },
        ],
      }),
    );
    await client.send(new TagResourceCommand({ SecretId: Name, Tags: [{ Key: 'a', Value: '2' }] }));
    expect((await describeSecret(Name)).Tags).toEqual([
      { Key: 'a', Value: '2' },
      { Key: 'b', Value: '' },
    ]);
    await client.send(new UntagResourceCommand({ SecretId: Name, TagKeys: ['a', 'b', 'never-there'] }));
    expect((await describeSecret(Name)).Tags).toEqual([]);
  });

  it.each([
    ['more than 50', Array.from({ length: 51 }, (_, index) => ({ Key: `k${index}`, Value: '' }))],
    ['keys that begin with aws:', [{ Key: 'aws:mine', Value: '' }]],
    [
      'a key twice',
      [
        { Key: 'a', Value: '1' },
        { Key: 'a', Value: '2' },
      ],
    ],
  ])('refuses %s', async (_, Tags) => {
    const { Name } = await createSecret();
    expect((await refusal(client.send(new TagResourceCommand({ SecretId: Name, Tags })))).name).toBe(
      'InvalidParameterException',
    );
  });

  it('that begin with aws: are given by services, which may also own a secret', async () => {
    const { Name } = await createSecret(freshName('rds!db'));
    lab.actAsService(Name, { owningService: 'rds', tags: { 'aws:rds:primarydbinstancearn': 'arn:x' } });
    expect(await describeSecret(Name)).toMatchObject({
      OwningService: 'rds',
      Tags: [{ Key: 'aws:rds:primarydbinstancearn', Value: 'arn:x' }],
    });
    const put = client.send(new PutSecretValueCommand({ SecretId: Name, SecretString: 'mine' }));
    expect((await refusal(put)).name).toBe('InvalidRequestException');
  });
});

describe('resource policies', () => {
  const allow = (Principal: unknown, more = {}) =>
    JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal, Action: 'secretsmanager:GetSecretValue', Resource: '*', ...more }],
    });
  const BROAD_ACCESS = "You can't attach a resource-based policy that allows broad access to the secret.";
  const validate = (ResourcePolicy: string, SecretId?: string) =>
    client.send(new ValidateResourcePolicyCommand({ ResourcePolicy, SecretId }));
  const put = (SecretId: string, ResourcePolicy: string, BlockPublicPolicy = false) =>
    client.send(new PutResourcePolicyCommand({ SecretId, ResourcePolicy, BlockPublicPolicy }));

  it('are kept as text, and gone when deleted', async () => {
    const { Name } = await createSecret();
    const policy = allow({ AWS: 'arn:aws:iam::123456789012:root' });
    await put(Name, policy);
    const get = () => client.send(new GetResourcePolicyCommand({ SecretId: Name }));
    expect((await get()).ResourcePolicy).toBe(policy);
    await client.send(new DeleteResourcePolicyCommand({ SecretId: Name }));
    expect((await get()).ResourcePolicy).toBeUndefined();
  });

  const statement = (more: object) => ({
    Effect: 'Allow',
    Principal: { AWS: '123456789012' },
    Action: 'secretsmanager:GetSecretValue',
    Resource: '*',
    ...more,
  });
  const policyOf = (more: object, ...others: object[]) =>
    JSON.stringify({ Version: '2012-10-17', Statement: [statement(more), ...others] });

  it.each<[string, string]>([
    ['no JSON', '{'],
    ['a list', '[]'],
    ['no statement', '{}'],
    ['an empty list of statements', '{"Statement":[]}'],
    ['another version', JSON.stringify({ Version: '2019-10-19', Statement: [statement({})] })],
    ['an unknown element', JSON.stringify({ Version: '2012-10-17', Statement: [statement({})], Comment: 'x' })],
    ['an unknown element in a statement', policyOf({ Reason: 'x' })],
    ['another effect', policyOf({ Effect: 'AllowSomething' })],
    ['no principal', policyOf({ Principal: undefined })],
    ['both principals', policyOf({ NotPrincipal: '*' })],
    ['an unknown kind of principal', policyOf({ Principal: { Role: 'x' } })],
    ['no action', policyOf({ Action: undefined })],
    ["another service's action", policyOf({ Action: ['secretsmanager:GetSecretValue', 's3:GetObject'] })],
    ['no resource', policyOf({ Resource: undefined })],
    ['a condition that is no map', policyOf({ Condition: 'x' })],
    ['a Sid twice', policyOf({ Sid: 'A' }, statement({ Sid: 'A' }))],
  ])('refuse %s', async (_, policy) => {
    const { Name } = await createSecret();
    const refused = { name: 'MalformedPolicyDocumentException', message: 'This policy has invalid syntax.' };
    expect(await refusal(put(Name, policy))).toEqual(refused);
    expect(await refusal(validate(policy))).toEqual(refused);
  });

  it.each([
    ['an unsupported', { AWS: 'arn:aws:iam::123456789012:role/nobody' }],
    ['an unsupported', { AWS: ['arn:aws:iam::111122223333:role/theirs', 'AIDAABCDEFGHIJKLMNOPQ'] }],
    ['an invalid service', { Service: 'nothing.example.com' }],
  ])('refuse %s principal', async (kind, Principal) => {
    const { Name } = await createSecret();
    expect(await refusal(put(Name, policyOf({ Principal })))).toEqual({
      name: 'MalformedPolicyDocumentException',
      message: `This resource policy contains ${kind} principal`,
    });
  });

  it('know the roles of this account', async () => {
    const { Name } = await createSecret();
    const arn = 'arn:aws:iam::123456789012:role/reader';
    lab.resources.roles.set(arn, { arn, policies: [] });
    await put(Name, policyOf({ Principal: { AWS: [arn, 'arn:aws:iam::111122223333:role/theirs'] } }));
  });

  it('are validated without being attached, for a secret or for none', async () => {
    const { Name } = await createSecret();
    const passed = { PolicyValidationPassed: true, ValidationErrors: [] };
    expect(await validate(policyOf({}))).toMatchObject(passed);
    expect(await validate(policyOf({}), Name)).toMatchObject(passed);
    expect(await validate(allow('*'))).toMatchObject({
      PolicyValidationPassed: false,
      ValidationErrors: [{ ErrorMessage: BROAD_ACCESS }],
    });
    expect((await client.send(new GetResourcePolicyCommand({ SecretId: Name }))).ResourcePolicy).toBeUndefined();
    expect((await refusal(validate(policyOf({}), 'missing'))).name).toBe('ResourceNotFoundException');
  });

  it('refuses a public one only where public ones are blocked', async () => {
    const { Name } = await createSecret();
    expect(await refusal(put(Name, allow('*'), true))).toEqual({
      name: 'PublicPolicyException',
      message: BROAD_ACCESS,
    });
    await put(Name, allow('*', { Condition: { StringEquals: { 'aws:PrincipalOrgID': 'o-1' } } }), true);
    await put(Name, allow('*'));
  });
});

describe('GetRandomPassword', () => {
  const generate = async (input: GetRandomPasswordCommandInput) =>
    (await client.send(new GetRandomPasswordCommand(input))).RandomPassword ?? '';

  it('has 32 characters and one of each type', async () => {
    const password = await generate({});
    expect(password).toHaveLength(32);
    for (const type of [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/]) expect(password).toMatch(type);
    expect(await generate({})).not.toBe(password);
  });

  it('leaves out what is excluded', async () => {
    expect(await generate({ PasswordLength: 200, ExcludePunctuation: true, ExcludeUppercase: true })).toMatch(
      /^[a-z0-9]{200}$/,
    );
    expect(
      await generate({ PasswordLength: 200, ExcludeLowercase: true, ExcludeNumbers: true, ExcludePunctuation: true }),
    ).toMatch(/^[A-Z]+$/);
    expect(await generate({ PasswordLength: 500, ExcludeCharacters: 'abc"@/\\' })).not.toMatch(/[abc"@/\\]/);
    // It may be there, and is not required: the longest one has it but for one time in 10^18.
    expect(await generate({ PasswordLength: 4096, IncludeSpace: true })).toContain(' ');
  });

  it.each([
    [4097, "'4097'", 'less than or equal to 4096'],
    [0, "'0'", 'greater than or equal to 1'],
  ])("refuses a length of %i in the framework's words", async (PasswordLength, shown, needed) => {
    expect(await refusal(generate({ PasswordLength }))).toEqual({
      name: 'ValidationException',
      message: `1 validation error detected: Value ${shown} at 'passwordLength' failed to satisfy constraint: Member must have value ${needed}`,
    });
  });

  it.each<[string, GetRandomPasswordCommandInput, string]>([
    ['too short for its types', { PasswordLength: 3 }, 'Password length is too short based on the required types.'],
    [
      'of which nothing is left',
      { ExcludeLowercase: true, ExcludeUppercase: true, ExcludeNumbers: true, ExcludePunctuation: true },
      'All characters have been excluded from selection',
    ],
    [
      'of which a required type is left without characters',
      { ExcludeCharacters: '0123456789' },
      'All characters of the desired type have been excluded',
    ],
  ])('refuses one that is %s', async (_, input, words) => {
    const refused = await refusal(generate(input));
    expect(refused).toEqual({ name: 'InvalidParameterException', message: words });
  });

  it('leaves a type without characters out where no type is required', async () => {
    const input = { ExcludeCharacters: '0123456789', RequireEachIncludedType: false, PasswordLength: 2 };
    expect(await generate(input)).toMatch(/^[^0-9]{2}$/);
  });
});
