/** The example for one database, applied: functions, roles and logs by moto, the secret by the lab, on a real server. */
import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GetRolePolicyCommand, IAMClient, ListRolePoliciesCommand, ListRolesCommand } from '@aws-sdk/client-iam';
import { GetFunctionCommand, GetPolicyCommand, LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { DescribeSecretCommand, GetSecretValueCommand, RotateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import type { StrategyName } from '../../../shared/rotation/strategy.ts';
import { asText } from '../../support/cloudformation.ts';
import { isAllowed, type PolicyDocument } from '../../support/iam.ts';
import { accepted } from '../../support/login-proof.ts';
import { type Moto, startMoto, withLoggingConfig } from '../../support/moto.ts';
import { roleScope, sharedServer } from '../../support/postgres.ts';
import { TerraformFolder, terraformIsHere } from '../../support/terraform.ts';
import { documentOf } from '../../support/terraform-module.ts';
import { TestAccount } from '../../support/test-account.ts';
import { run } from '../../support/tools.ts';

const REGION = 'us-east-1';
const EXAMPLE = 'module/examples/one-database';
const STRATEGIES: readonly StrategyName[] = ['single-user', 'alternating-users'];
const dist = (strategy: StrategyName) => fileURLToPath(new URL(`../../../dist/${strategy}`, import.meta.url));
const nameOf = (strategy: StrategyName) => `postgres-rotation-${strategy}`;

/** The functions' zips, as a release has them. @returns SHA-256 of each, in base64 as Lambda gives it. */
async function pack(folder: string): Promise<Record<string, string>> {
  await mkdir(folder);
  const hashes = STRATEGIES.map(async (strategy) => {
    const zip = join(folder, `${strategy}.zip`);
    run('python3', ['-m', 'zipfile', '-c', zip, `${dist(strategy)}/.`]);
    return [
      strategy,
      createHash('sha256')
        .update(await readFile(zip))
        .digest('base64'),
    ] as const;
  });
  return Object.fromEntries(await Promise.all(hashes));
}

/** The actions that an apply took, in order: `begins: create aws_lambda_function.this["single-user"]`, and `ends: …`. */
function actionsOf(json: string): string[] {
  return json
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
    .filter(({ type }) => type === 'apply_start' || type === 'apply_complete')
    .map(({ type, hook }) => `${type === 'apply_start' ? 'begins' : 'ends'}: ${hook.action} ${hook.resource.addr}`);
}

/** What the module's README advises once the secret has been rotated: the value's resource is taken out, and stays in AWS. */
async function takeValueOut(folder: TerraformFolder): Promise<void> {
  const [, removed = ''] = /```hcl\n *(removed \{.*?\n *\})\n *```/s.exec(await folder.read('module/README.md')) ?? [];
  const main = await folder.read(`${EXAMPLE}/main.tf`);
  const without = main
    .replace(/resource "aws_secretsmanager_secret_version" "shop" \{\n.*?\n\}\n/s, removed)
    .replace('aws_secretsmanager_secret_version.shop.arn', 'aws_secretsmanager_secret.shop.arn');
  await folder.write(`${EXAMPLE}/main.tf`, without);
}

const SECRET = 'prod/shop';
const ROTATION = 'module.rotation.aws_secretsmanager_secret_rotation.this["shop"]';

describe.skipIf(!terraformIsHere)('Terraform', { timeout: 480_000 }, () => {
  it('makes a secret and its rotation, changes its schedule, and takes everything down again', async (context) => {
    await using emulator = await startMoto(context);
    await using moto = await withLoggingConfig(emulator);
    await using account = await TestAccount.open();
    const server = await sharedServer();
    await using scope = roleScope(server);
    const app = await scope.createAppRole();
    await using folder = await TerraformFolder.create({
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL: moto.endpoint,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: account.lab.endpoint,
      // Not on the command line, where other processes could read it.
      TF_VAR_initial_password: app.password,
    });
    const zips = join(folder.path, 'zips');
    const hashes = await pack(zips);
    const { host, port } = server;
    const variables = {
      package_directory: zips,
      database: { host, port, name: app.database, username: app.name, ssl: false },
      alarm_email: 'ops@example.com',
      subnet_ids: ['subnet-0a1b2c3d'],
      security_group_ids: ['sg-0a1b2c3d'],
    };
    const inExample = (...args: string[]) => folder.run(args, EXAMPLE);
    const given = (changes: object) => folder.write(`${EXAMPLE}/terraform.tfvars.json`, { ...variables, ...changes });
    const expectNothingToDo = async (when: string) => {
      const { status, output } = await folder.try(['plan', '-detailed-exitcode', '-lock=false'], EXAMPLE);
      expect(status, `${when}: ${output}`).toBe(0);
    };
    const describeSecret = () => account.client.send(new DescribeSecretCommand({ SecretId: SECRET }));
    const password = async () => {
      const { SecretString = '{}' } = await account.client.send(new GetSecretValueCommand({ SecretId: SECRET }));
      return asText(JSON.parse(SecretString).password);
    };
    const aws = clientsOf(moto);
    // Secrets Manager calls the function while it is attached, so the lab has to know it by then.
    const register = (environment: Record<string, string>) =>
      account.lab.functions.register({
        name: nameOf('single-user'),
        bundle: join(dist('single-user'), 'index.mjs'),
        environment,
      });
    const functionArn = register({});

    // From nothing: functions as uploaded, and the secret attached without having been rotated.
    await given({});
    await inExample('init');
    await inExample('plan', '-out=first.plan');
    run('python3', ['-m', 'zipfile', '-e', join(folder.path, EXAMPLE, 'first.plan'), join(folder.path, 'plan')]);
    await inExample('apply', '-json', 'first.plan');
    for (const strategy of STRATEGIES) {
      const made = await aws.lambda.send(new GetFunctionCommand({ FunctionName: nameOf(strategy) }));
      expect(made.Configuration).toMatchObject({ CodeSha256: hashes[strategy], Runtime: 'nodejs22.x', Timeout: 60 });
      const { Policy = '{}' } = await aws.lambda.send(new GetPolicyCommand({ FunctionName: nameOf(strategy) }));
      expect(JSON.parse(Policy).Statement).toMatchObject([
        {
          Principal: { Service: 'secretsmanager.amazonaws.com' },
          Condition: { StringEquals: { 'AWS:SourceAccount': '123456789012' } },
        },
      ]);
    }
    const attached = await describeSecret();
    expect(attached).toMatchObject({
      RotationEnabled: true,
      RotationLambdaARN: functionArn,
      RotationRules: { ScheduleExpression: 'cron(0 2 ? * SUN *)', Duration: '2h' },
    });
    expect(await password()).toBe(app.password);

    // Neither the plan nor the state holds the password, whatever Terraform has read since.
    await expectNothingToDo('after the first apply');
    for (const file of ['plan/tfplan', `${EXAMPLE}/terraform.tfstate`]) {
      const kept = await readFile(join(folder.path, file), 'latin1');
      // As truths, so that a failure does not print what must not be there.
      expect([kept.includes(SECRET), kept.includes(app.password)], file).toEqual([true, false]);
    }

    // A role as IAM has it lets the function do what it does now: rotate.
    const uploaded = await aws.lambda.send(new GetFunctionCommand({ FunctionName: nameOf('single-user') }));
    const policies = await policiesInIam(aws.iam, uploaded.Configuration?.Role ?? '');
    const call = {
      action: 'secretsmanager:PutSecretValue',
      resource: attached.ARN ?? '',
      context: { 'secretsmanager:resource/AllowRotationLambdaArn': functionArn },
    };
    expect(isAllowed(policies, call)).toBe(true);
    register(uploaded.Configuration?.Environment?.Variables ?? {});
    for (const round of [1, 2]) {
      const before = await password();
      await account.client.send(new RotateSecretCommand({ SecretId: SECRET }));
      await account.lab.settled(SECRET);
      expect(await accepted(server, app, [before, await password()]), `rotation ${round}`).toEqual([false, true]);
    }
    await expectNothingToDo('after two rotations');

    // Another schedule, out of the VPC, and nothing that could put the first value back.
    const rotated = await password();
    await takeValueOut(folder);
    await given({ schedule_expression: 'rate(7 days)', subnet_ids: [], security_group_ids: [] });
    const order = actionsOf(await inExample('apply', '-auto-approve', '-json'));
    expect(order).toContain(`ends: update ${ROTATION}`);
    for (const strategy of STRATEGIES) {
      const left = order.indexOf(`ends: update module.rotation.aws_lambda_function.this["${strategy}"]`);
      const taken = order.indexOf(`begins: delete module.rotation.aws_iam_role_policy.run_in_vpc["${strategy}"]`);
      expect(left, 'the function leaves the VPC').toBeGreaterThanOrEqual(0);
      expect(taken, 'its permissions go after it').toBeGreaterThan(left);
    }
    expect(await describeSecret()).toMatchObject({ RotationRules: { ScheduleExpression: 'rate(7 days)' } });
    expect(await password()).toBe(rotated);
    expect(await inExample('state', 'list')).not.toContain('aws_secretsmanager_secret_version');

    // And down: nothing is left but the secret, which can be restored for a week with the password that works.
    await inExample('destroy', '-auto-approve', '-json');
    const gone = await describeSecret();
    expect(gone.RotationEnabled ?? false).toBe(false);
    expect(gone.DeletedDate).toBeInstanceOf(Date);
    expect(await accepted(server, app, [rotated])).toEqual([true]);
    expect((await aws.lambda.send(new ListFunctionsCommand({}))).Functions).toEqual([]);
    expect((await aws.iam.send(new ListRolesCommand({}))).Roles).toEqual([]);
  });
});

function clientsOf({ endpoint }: Moto) {
  const options = { endpoint, region: REGION, credentials: { accessKeyId: 'test', secretAccessKey: 'test' } };
  return { lambda: new LambdaClient(options), iam: new IAMClient(options) };
}

async function policiesInIam(iam: IAMClient, roleArn: string): Promise<PolicyDocument[]> {
  const RoleName = roleArn.slice(roleArn.lastIndexOf('/') + 1);
  const { PolicyNames = [] } = await iam.send(new ListRolePoliciesCommand({ RoleName }));
  const policies = PolicyNames.map(async (PolicyName) => {
    const { PolicyDocument = '' } = await iam.send(new GetRolePolicyCommand({ RoleName, PolicyName }));
    return documentOf(decodeURIComponent(PolicyDocument));
  });
  return await Promise.all(policies);
}
