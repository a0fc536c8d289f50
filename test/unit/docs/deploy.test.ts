import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { PSEUDO } from '../../support/cloudformation.ts';
import { codeBlocks, shellCommands } from '../../support/documents.ts';
import { isAllowed, policyDocument } from '../../support/iam.ts';
import { ROLE_RULES } from '../../support/role-calls.ts';
import { samStacks, samTranslatorIsHere } from '../../support/sam.ts';
import { run, toolIsHere } from '../../support/tools.ts';

const DOCUMENT = 'docs/deploy.md';
const text = readFileSync(new URL(`../../../${DOCUMENT}`, import.meta.url), 'utf8');
const commands = shellCommands(DOCUMENT);
/** What the AWS CLI makes of several API calls itself; all else is one call that the CLI can check. */
const OWN_COMMANDS = /^aws (?:cloudformation (?:package|deploy)|s3 cp) /;

/** Values for the variables of the commands. */
const ENVIRONMENT = {
  AWS_REGION: 'eu-west-1',
  AWS_DEFAULT_REGION: 'eu-west-1',
  REPLICA_REGION: 'eu-central-1',
  SECRET_ARN: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:app-a1B2c3',
  REPLICA_ARN: 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:app-a1B2c3',
  FUNCTION_ARN: 'arn:aws:lambda:eu-west-1:111122223333:function:postgres-rotation-SingleUserFunction-EXAMPLE',
  VERSION_ID: '0b9e1f2a-0000-4000-8000-000000000000',
  VPC_ID: 'vpc-0a1b2c3d',
  SUBNET_1: 'subnet-0a1b2c3d',
  SUBNET_2: 'subnet-1a2b3c4d',
  FUNCTION_SG: 'sg-0a1b2c3d',
  DATABASE_SG: 'sg-1a2b3c4d',
  ENDPOINT_SG: 'sg-2a3b4c5d',
  BUCKET: 'bucket',
  REPOSITORY: 'somebody/postgres-secret-rotation',
  ENDPOINT_SERVICE: 'com.amazonaws.eu-west-1.secretsmanager',
};

/** Credentials that are nobody's, and no settings of whoever runs the tests. */
const NOBODY = {
  AWS_ACCESS_KEY_ID: 'nobody',
  AWS_SECRET_ACCESS_KEY: 'nobody',
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_MAX_ATTEMPTS: '1',
};

/** An endpoint of every service, which refuses each call: one that gets so far has passed the CLI's own checks. */
async function refusingService(): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((request, response) => {
    request.resume();
    const json = request.headers['content-type']?.includes('json') ?? false;
    response.writeHead(400, { 'content-type': json ? 'application/x-amz-json-1.1' : 'text/xml' });
    const error = '<Error><Code>Reached</Code><Message>-</Message></Error>';
    // RDS and CloudFormation look for ErrorResponse/Error, EC2 for Response/Errors/Error.
    const xml = request.headers.authorization?.includes('/ec2/')
      ? `<Response><Errors>${error}</Errors></Response>`
      : `<ErrorResponse>${error}</ErrorResponse>`;
    response.end(json ? JSON.stringify({ __type: 'Reached', message: '-' }) : xml);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const awsCliIsHere = toolIsHere('The AWS CLI', ['aws', '--version'], 'REQUIRE_AWS_CLI');
const cfnLintIsHere = toolIsHere('cfn-lint', ['cfn-lint', '--version'], 'REQUIRE_CFN_LINT');

describe('docs/deploy.md', () => {
  it('uses only variables that are set in this test', () => {
    const used = commands.flatMap((line) => Array.from(line.matchAll(/\$([A-Z_0-9]+)/g), ([, name]) => name));
    expect(Object.keys(ENVIRONMENT)).toEqual(expect.arrayContaining(used));
  });

  it('links only to headings and files that are there', () => {
    const anchors = Array.from(text.matchAll(/^#+ (.*)$/gm), ([, heading]) =>
      (heading ?? '')
        .toLowerCase()
        .replace(/[^\w -]/g, '')
        .replace(/ /g, '-'),
    );
    for (const [, target = ''] of text.matchAll(/\]\(([^)]+)\)/g)) {
      if (target.startsWith('#')) expect(anchors).toContain(target.slice(1));
      else expect(existsSync(new URL(target, new URL(`../../../${DOCUMENT}`, import.meta.url))), target).toBe(true);
    }
  });

  it('runs only npm scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
    for (const line of commands) {
      const [, script] = /^npm run (\S+)/.exec(line) ?? [];
      if (script !== undefined) expect(Object.keys(scripts)).toContain(script);
    }
  });

  it('names error codes and variables that exist', () => {
    const known = ['errors.ts', 'lambda/config.ts'].map((file) =>
      readFileSync(new URL(`../../../shared/${file}`, import.meta.url), 'utf8'),
    );
    const named = Array.from(text.matchAll(/`([A-Z]+(?:_[A-Z]+)+)`/g), ([, code]) => code);
    expect(named.length).toBeGreaterThan(4);
    for (const code of named) expect(known.join('\n')).toContain(`'${code}'`);
  });

  it('has JSON that parses', () => {
    const blocks = codeBlocks(DOCUMENT, 'json');
    expect(blocks.length).toBeGreaterThan(0);
    for (const block of blocks) expect(() => JSON.parse(block)).not.toThrow();
  });

  it('gives a key policy that lets the functions use the key as their roles may, and no further', () => {
    const { Principal, ...statement } = JSON.parse(codeBlocks(DOCUMENT, 'json')[0] ?? '');
    expect(Principal.AWS).toHaveLength(2);
    const may = (action: string, context: Record<string, string>) =>
      isAllowed([{ Version: '2012-10-17', Statement: [statement] }], { action, resource: 'key', context });
    const context = {
      'kms:EncryptionContext:SecretARN': ENVIRONMENT.SECRET_ARN,
      'kms:ViaService': 'secretsmanager.eu-west-1.amazonaws.com',
    };
    expect(['Decrypt', 'GenerateDataKey', 'Encrypt'].map((each) => may(`kms:${each}`, context))).toEqual([
      true,
      true,
      false,
    ]);
    expect(may('kms:Decrypt', { ...context, 'kms:ViaService': 's3.eu-west-1.amazonaws.com' })).toBe(false);
    expect(may('kms:Decrypt', { ...context, 'kms:EncryptionContext:SecretARN': 'x' })).toBe(false);
  });
});

/** What AWS's managed policies for functions give, as the document says. */
const BY_AWS = /^(?:logs|ec2):/;

describe.each([
  'single-user',
  'alternating-users',
] as const)("a role of one's own, by docs/deploy.md, for %s", (strategy) => {
  const [, ofRotatedSecrets = '', ofSuperuserSecrets = ''] = codeBlocks(DOCUMENT, 'json');
  const blocks = strategy === 'single-user' ? [ofRotatedSecrets] : [ofRotatedSecrets, ofSuperuserSecrets];
  const policies = blocks.map((block) => policyDocument(JSON.parse(block)));
  const functionArn = 'arn:aws:lambda:eu-west-1:111122223333:function:rotation';
  const bearer = {
    strategy,
    functionArn,
    otherFunctionArn: `${functionArn}-of-another-team`,
    logGroup: '/aws/lambda/rotation',
    otherLogGroup: '/aws/lambda/another',
  };
  const superusers = strategy === 'single-user' ? 'none' : 'named';

  const rules = ROLE_RULES.map(({ rule, calls }) => ({
    rule,
    judged: calls(bearer, { vpc: false, keys: false, superusers }).filter(({ action }) => !BY_AWS.test(action)),
  })).filter(({ judged }) => judged.length > 0);

  it.each(rules)('$rule', ({ judged }) => {
    expect(judged.filter((call) => isAllowed(policies, call) !== call.allowed)).toEqual([]);
  });
});

describe.skipIf(!awsCliIsHere)('the AWS CLI', { timeout: 60_000 }, () => {
  const calls = commands.filter((line) => line.startsWith('aws ') && !OWN_COMMANDS.test(line));

  it('is given something to check', () => {
    expect(calls.length).toBeGreaterThan(10);
  });

  it.concurrent.each(calls)('accepts, and sends as one call: %s', async (command) => {
    await using service = await refusingService();
    const { stderr } = await promisify(execFile)('sh', ['-c', command], {
      env: { ...process.env, ...ENVIRONMENT, ...NOBODY, AWS_ENDPOINT_URL: service.url },
    }).catch((error: { stderr: string }) => error);
    expect(stderr).toMatch(/An error occurred \(Reached\) when calling the \w+ operation/);
  });
});

describe.skipIf(!cfnLintIsHere)('cfn-lint', { timeout: 60_000 }, () => {
  it('has nothing to say of the CloudFormation snippets', () => {
    const templates = codeBlocks(DOCUMENT, 'yaml');
    expect(templates.length).toBeGreaterThan(0);
    for (const template of templates) expect(run('cfn-lint', [], template)).toBe('');
  });
});

describe.skipIf(!samTranslatorIsHere)('what docs/deploy.md says of the template', () => {
  const stacks = samStacks({ plain: { AlarmEmail: 'ops@example.com', ApplicationSecretArns: ENVIRONMENT.SECRET_ARN } });

  it('names parameters that it has', () => {
    const [, ...rows] = /\| Parameter \|.*?\n\n/s.exec(text)?.[0].split('\n') ?? [];
    const named = rows.flatMap((row) => Array.from((row.split('|')[1] ?? '').matchAll(/`(\w+)`/g), ([, name]) => name));
    const overrides = Array.from(text.matchAll(/\b([A-Z]\w+)=[^\s`]/g), ([, name]) => name);
    expect(named.length).toBeGreaterThan(5);
    expect(overrides.length).toBeGreaterThan(4);
    // That one is the plain template's.
    expect(Object.keys(stacks('plain').template.Parameters)).toEqual(
      expect.arrayContaining([...named, ...overrides].filter((name) => name !== 'CodeBucket')),
    );
  });

  it('names outputs that it has', () => {
    const named = Array.from(text.matchAll(/[Oo]utputs? `?(\w+)`?(?:, `(\w+)`)?/g), ([, ...names]) => names)
      .flat()
      .filter((name) => name !== undefined && /^[A-Z]/.test(name));
    const inTerraform = Array.from(text.matchAll(/outputs\["(\w+)"\]/g), ([, name]) => name);
    expect(named.length).toBeGreaterThan(3);
    expect(inTerraform).toHaveLength(1);
    expect(Object.keys(stacks('plain').outputs())).toEqual(expect.arrayContaining([...named, ...inTerraform]));
  });

  it('names one stack, and the log group that it has', () => {
    const names = Array.from(text.matchAll(/--stack-name (\S+)|aws_cloudformation_stack" "\w+" \{\s+name = "(.+)"/g));
    expect(names.length).toBeGreaterThan(4);
    const [stack, ...others] = new Set(names.map(([, option, terraform]) => option ?? terraform));
    expect(others).toEqual([]);
    const logGroup = stacks('plain').ref('SingleUserLogGroup').replace(`/${PSEUDO['AWS::StackName']}/`, `/${stack}/`);
    expect(text).toContain(`--log-group-name ${logGroup} `);
  });
});
