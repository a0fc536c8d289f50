import { describe, expect, it } from 'vitest';
import { TIMEOUT_MS } from '../../../scripts/bench/timeout.mjs';
import { readConfig } from '../../../shared/lambda/config.ts';
import { DEFAULT_POLICY } from '../../../shared/secret/password-policy.ts';
import { asObject, asText, type Parameters, type Stack } from '../../support/cloudformation.ts';
import { samStacks, samTranslatorIsHere } from '../../support/sam.ts';
import { VPC } from './stacks.ts';

const FUNCTIONS = ['SingleUserFunction', 'AlternatingUsersFunction'];

/** The parameters that set one environment variable each, with a value that each accepts. */
const OPTIONS: Readonly<Record<string, readonly [variable: string, value: string]>> = {
  SecretsManagerEndpoint: ['SECRETS_MANAGER_ENDPOINT', 'https://vpce-1.secretsmanager.eu-west-1.vpce.amazonaws.com'],
  AwsMaxAttempts: ['AWS_MAX_ATTEMPTS', '9'],
  DatabaseCaFile: ['DB_CA_FILE', '/opt/ca.pem'],
  ConnectionStringKeys: ['CONNECTION_STRING_KEYS', 'DATABASE_URL,jdbcUrl'],
  PasswordLength: ['PASSWORD_LENGTH', '48'],
  ExcludeCharacters: ['EXCLUDE_CHARACTERS', '/@" \'\\'],
  ExcludeUppercase: ['EXCLUDE_UPPERCASE', 'true'],
  ExcludeLowercase: ['EXCLUDE_LOWERCASE', 'false'],
  ExcludeNumbers: ['EXCLUDE_NUMBERS', 'true'],
  ExcludePunctuation: ['EXCLUDE_PUNCTUATION', 'false'],
  RequireEachIncludedType: ['REQUIRE_EACH_INCLUDED_TYPE', 'false'],
};
const ALL_OPTIONS = Object.fromEntries(Object.entries(OPTIONS).map(([name, [, value]]) => [name, value]));
const OTHER_CHOICES = {
  PasswordHashing: 'server',
  TlsFallback: 'allow',
  AllowPooler: 'true',
  AlternatingSetRole: 'false',
  PromoteEarly: 'true',
  LogLevel: 'DEBUG',
};
const LAYER = 'arn:aws:lambda:eu-west-1:111122223333:layer:ca:3';

const sets: Record<string, Parameters> = {
  plain: {},
  vpc: VPC,
  all: { ...ALL_OPTIONS, ...OTHER_CHOICES },
  sized: { Architecture: 'x86_64', MemorySize: '1024', TimeoutSeconds: '120', DatabaseCaLayerArn: LAYER },
  kept: { LogRetentionDays: '365' },
};
for (const [parameter, [, value]] of Object.entries(OPTIONS)) sets[parameter] = { [parameter]: value };
const stacks = samStacks(sets);

function environmentOf(stack: Stack, id: string): Record<string, string> {
  const variables = asObject(asObject(stack.resource(id).properties.Environment).Variables);
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, asText(value)]));
}

describe.skipIf(!samTranslatorIsHere).each(FUNCTIONS)('%s', (id) => {
  const alternating = id === 'AlternatingUsersFunction';
  const setRole = (value: string) => (alternating ? { ALTERNATING_SET_ROLE: value } : {});
  const strategy = alternating ? 'alternating-users' : 'single-user';

  it("runs its bundle on Lambda's current Node", () => {
    const { Runtime, Handler, Architectures, MemorySize, Timeout, Code } = stacks('plain').resource(id).properties;
    expect({ Runtime, Handler, Architectures, MemorySize, Timeout }).toEqual({
      Runtime: 'nodejs24.x',
      Handler: 'index.handler',
      Architectures: ['arm64'],
      MemorySize: '256',
      // As the benchmarks have it.
      Timeout: String(TIMEOUT_MS / 1_000),
    });
    expect(asObject(Code).S3Key).toBe(alternating ? 'dist/alternating-users/' : 'dist/single-user/');
  });

  it('has the size that the parameters give it', () => {
    expect(stacks('sized').resource(id).properties).toMatchObject({
      Architectures: ['x86_64'],
      MemorySize: '1024',
      Timeout: '120',
      Layers: [LAYER],
    });
    expect(stacks('plain').resource(id).properties).not.toHaveProperty('Layers');
  });

  it('sets no variable whose parameter is empty, and so keeps the default passwords', () => {
    const environment = environmentOf(stacks('plain'), id);
    expect(environment).toEqual({
      POWERTOOLS_LOG_LEVEL: 'INFO',
      PASSWORD_HASHING: 'client',
      TLS_FALLBACK: 'deny',
      ALLOW_POOLER: 'false',
      ...setRole('true'),
    });
    const { passwordPolicy, allowPooler } = readConfig(environment, strategy);
    expect(passwordPolicy).toBe(DEFAULT_POLICY);
    expect(allowPooler).toBe(false);
  });

  it.each(Object.entries(OPTIONS))('sets the variable of %s alone', (parameter, [variable, value]) => {
    const environment = environmentOf(stacks(parameter), id);
    expect(environment).toEqual({ ...environmentOf(stacks('plain'), id), [variable]: value });
    expect(() => readConfig(environment, strategy)).not.toThrow();
  });

  it('sets them all together, as the function reads them', () => {
    const environment = environmentOf(stacks('all'), id);
    expect(environment).toEqual({
      ...Object.fromEntries(Object.values(OPTIONS)),
      POWERTOOLS_LOG_LEVEL: 'DEBUG',
      PASSWORD_HASHING: 'server',
      TLS_FALLBACK: 'allow',
      ALLOW_POOLER: 'true',
      ...setRole('false'),
      ...(alternating ? {} : { PROMOTE: 'early' }),
    });
    expect(readConfig(environment, strategy)).toMatchObject({
      secretsManagerEndpoint: ALL_OPTIONS.SecretsManagerEndpoint,
      passwordHashing: 'server',
      tlsFallback: true,
      allowPooler: true,
      promoteEarly: !alternating,
      passwordPolicy: { length: 48, requireEach: false },
    });
  });

  it('is in a VPC only with subnets', () => {
    expect(stacks('plain').resource(id).properties).not.toHaveProperty('VpcConfig');
    expect(stacks('vpc').resource(id).properties.VpcConfig).toEqual({
      SubnetIds: ['subnet-0a1b2c3d', 'subnet-1a2b3c4d'],
      SecurityGroupIds: ['sg-0a1b2c3d'],
    });
  });

  it('writes to a log group of its own that is made first and forgets in time', () => {
    const group = id.replace('Function', 'LogGroup');
    expect(stacks('plain').resource(id).properties.LoggingConfig).toEqual({
      // In Lambda's JSON format the metrics would be lost at levels above INFO.
      LogFormat: 'Text',
      LogGroup: stacks('plain').ref(group),
    });
    expect(stacks('plain').resource(group).properties.RetentionInDays).toBe('90');
    expect(stacks('kept').resource(group).properties.RetentionInDays).toBe('365');
  });

  it('shares the concurrency of the account, because a small reserve makes rotations loop', () => {
    const { ReservedConcurrentExecutions } = stacks('plain').resource(id).properties;
    expect(Number(ReservedConcurrentExecutions ?? Number.POSITIVE_INFINITY)).toBeGreaterThanOrEqual(10);
  });

  it('may be invoked by the Secrets Manager of this account, and by no one else', () => {
    const stack = stacks('plain');
    const permissions = stack
      .resources('AWS::Lambda::Permission')
      .map((permission) => stack.resource(permission).properties)
      .filter(({ FunctionName }) => FunctionName === stack.arn(id));
    expect(permissions).toEqual([
      {
        Action: 'lambda:InvokeFunction',
        FunctionName: stack.arn(id),
        Principal: 'secretsmanager.amazonaws.com',
        SourceAccount: '111122223333',
      },
    ]);
  });
});
