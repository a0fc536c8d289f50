/** What Terraform's own resources ask of Secrets Manager, by Terraform itself against the lab: each is read back as it was made. */
import { fileURLToPath } from 'node:url';
import {
  DescribeSecretCommand,
  GetResourcePolicyCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  ListSecretVersionIdsCommand,
} from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SecretsLab, startSecretsManager } from '../../../scripts/lab/secrets-lab.ts';
import { clientOf } from '../../support/secrets-lab-client.ts';
import { TerraformFolder, terraformIsHere } from '../../support/terraform.ts';

const BUNDLE = fileURLToPath(new URL('../../support/functions/scripted-rotation.mjs', import.meta.url));
const HOME = 'us-east-1';
const AWAY = ['eu-west-1', 'eu-central-1'] as const;

const CONFIGURATION = `
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
variable "function_arn" { type = string }
variable "description" { type = string }
variable "value" { type = string }
variable "stages" { type = list(string) }
variable "replicas" { type = list(string) }
variable "tags" { type = map(string) }
variable "policies" { type = map(string) }
variable "schedules" { type = map(string) }

resource "aws_secretsmanager_secret" "shop" {
  name                    = "prod/shop"
  description             = var.description
  recovery_window_in_days = 0
  tags                    = var.tags
  dynamic "replica" {
    for_each = toset(var.replicas)
    content { region = replica.value }
  }
}
resource "aws_secretsmanager_secret_version" "shop" {
  secret_id      = aws_secretsmanager_secret.shop.id
  secret_string  = var.value
  version_stages = var.stages
}
resource "aws_secretsmanager_secret_policy" "shop" {
  for_each            = var.policies
  secret_arn          = aws_secretsmanager_secret.shop.arn
  policy              = each.value
  block_public_policy = true
}
resource "aws_secretsmanager_secret_rotation" "shop" {
  for_each            = var.schedules
  secret_id           = aws_secretsmanager_secret_version.shop.secret_id
  rotation_lambda_arn = var.function_arn
  rotate_immediately  = false
  rotation_rules {
    schedule_expression = each.value
    duration            = "3h"
  }
}
data "aws_secretsmanager_secret" "shop" {
  arn        = aws_secretsmanager_secret_version.shop.arn
  depends_on = [aws_secretsmanager_secret_policy.shop]
}
data "aws_secretsmanager_secret_version" "shop" {
  secret_id = aws_secretsmanager_secret_version.shop.secret_id
}
data "aws_secretsmanager_secrets" "all" {
  filter {
    name   = "name"
    values = [aws_secretsmanager_secret_version.shop.secret_id == "" ? "" : "prod/"]
  }
}
data "aws_secretsmanager_random_password" "one" {
  password_length = 40
}
output "found" { value = data.aws_secretsmanager_secrets.all.names }
output "policy" { value = data.aws_secretsmanager_secret.shop.policy }
output "length" { value = length(data.aws_secretsmanager_random_password.one.random_password) }
`;

const policy = (Principal: object | string, Effect = 'Allow') =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Sid: 'one', Effect, Principal, Action: 'secretsmanager:GetSecretValue', Resource: '*' }],
  });
const OTHER_ACCOUNT = policy({ AWS: 'arn:aws:iam::444455556666:root' });
const NOBODY = policy('*', 'Deny');

let lab: SecretsLab;
beforeAll(async () => {
  lab = await startSecretsManager({ retries: 0 });
});
afterAll(() => lab.close());

describe.skipIf(!terraformIsHere)("Terraform's resources of Secrets Manager", { timeout: 480_000 }, () => {
  it('are made, read back without a difference, changed, refused as AWS refuses, and destroyed', async () => {
    const function_arn = lab.functions.register({ name: 'scripted', bundle: BUNDLE });
    await using folder = await TerraformFolder.create({
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_REGION: HOME,
      AWS_ENDPOINT_URL: lab.endpoint,
    });
    const client = clientOf(lab);
    const away = AWAY.map((region) => clientOf(lab, region));
    const SecretId = 'prod/shop';
    const describeSecret = () => client.send(new DescribeSecretCommand({ SecretId }));
    const attachedPolicy = async () => (await client.send(new GetResourcePolicyCommand({ SecretId }))).ResourcePolicy;
    const replicas = async () =>
      await Promise.all(away.map(async (each) => (await each.send(new ListSecretsCommand({}))).SecretList?.length));
    const versions = async () =>
      (await client.send(new ListSecretVersionIdsCommand({ SecretId }))).Versions?.map((each) => each.VersionStages);
    const given = (changes: object) => folder.write('terraform.tfvars.json', { ...initial, ...changes });
    const apply = async (changes: object) => {
      await given(changes);
      await folder.run(['apply', '-auto-approve']);
      await lab.settled(SecretId);
      const { status, output } = await folder.try(['plan', '-detailed-exitcode']);
      expect(status, output).toBe(0);
    };
    const initial = {
      function_arn,
      description: 'of the shop',
      value: 'first',
      stages: ['AWSCURRENT'],
      replicas: AWAY.slice(0, 1),
      tags: { team: 'shop' },
      policies: { it: OTHER_ACCOUNT },
      schedules: { it: 'rate(30 days)' },
    };
    await folder.write('main.tf', CONFIGURATION);
    await folder.run(['init']);

    await apply({});
    const made = await describeSecret();
    expect(made).toMatchObject({
      Description: 'of the shop',
      Tags: [{ Key: 'team', Value: 'shop' }],
      RotationEnabled: true,
      RotationRules: { ScheduleExpression: 'rate(30 days)', Duration: '3h' },
      ReplicationStatus: [{ Region: AWAY[0], Status: 'InSync' }],
    });
    expect(JSON.parse((await attachedPolicy()) ?? '')).toEqual(JSON.parse(OTHER_ACCOUNT));
    expect(await replicas()).toEqual([1, 0]);
    const outputs = JSON.parse(await folder.run(['output', '-json']));
    expect([outputs.found.value, outputs.length.value]).toEqual([['prod/shop'], 40]);
    expect(JSON.parse(outputs.policy.value)).toEqual(JSON.parse(OTHER_ACCOUNT));

    // Each in place: the description goes, the value and its labels, the policy, the schedule and the region change.
    const changed = {
      description: '',
      value: 'second',
      stages: ['AWSCURRENT', 'blue'],
      replicas: AWAY.slice(1),
      tags: {},
      policies: { it: NOBODY },
      schedules: { it: 'cron(0 2 ? * SUN *)' },
    };
    await apply(changed);
    const now = await describeSecret();
    expect(now).toMatchObject({
      ARN: made.ARN,
      Tags: [],
      RotationRules: { ScheduleExpression: 'cron(0 2 ? * SUN *)' },
      ReplicationStatus: [{ Region: AWAY[1], Status: 'InSync' }],
    });
    expect(now.Description).toBeUndefined();
    expect(JSON.parse((await attachedPolicy()) ?? '')).toEqual(JSON.parse(NOBODY));
    expect(await replicas()).toEqual([0, 1]);
    expect((await client.send(new GetSecretValueCommand({ SecretId }))).SecretString).toBe('second');
    expect(await versions()).toContainEqual(['AWSCURRENT', 'blue']);

    // Policies that AWS refuses leave the one that is attached.
    const refusals: readonly (readonly [string, RegExp])[] = [
      [policy('*'), /PublicPolicyException/],
      [policy({ AWS: 'arn:aws:iam::444455556666:root' }).replace('2012-10-17', '2012-10-18'), /invalid syntax/],
    ];
    for (const [refused, words] of refusals) {
      await given({ ...changed, policies: { it: refused } });
      const { status, output } = await folder.try(['apply', '-auto-approve']);
      expect(status).toBe(1);
      expect(output).toMatch(words);
      expect(JSON.parse((await attachedPolicy()) ?? '')).toEqual(JSON.parse(NOBODY));
    }

    // Policy and rotation are taken away, and the secret stays.
    await apply({ ...changed, policies: {}, schedules: {} });
    expect(await attachedPolicy()).toBeUndefined();
    expect((await describeSecret()).RotationEnabled).toBe(false);

    await folder.run(['destroy', '-auto-approve']);
    expect((await client.send(new ListSecretsCommand({ IncludePlannedDeletion: true }))).SecretList).toEqual([]);
    expect(await replicas()).toEqual([0, 0]);
    for (const each of [client, ...away]) each.destroy();
  });
});
