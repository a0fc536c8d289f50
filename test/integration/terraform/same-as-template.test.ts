/** The module makes what template.yaml makes: roles by one table of calls, all else by what the template says. */
import { beforeAll, describe, expect, it } from 'vitest';
import { asList, asObject, asText, type Json, type JsonObject } from '../../support/cloudformation.ts';
import { isAllowed } from '../../support/iam.ts';
import { APP_SECRET, KEY, OTHER_SECRET, ROLE_CHOICES, ROLE_RULES, type RoleChoices } from '../../support/role-calls.ts';
import { samStacks, samTranslatorIsHere } from '../../support/sam.ts';
import { terraformIsHere } from '../../support/terraform.ts';
import { documentOf, type MadeUpModule, madeUpModules } from '../../support/terraform-module.ts';
import { variablesFor } from '../../support/terraform-variables.ts';
import { alarmOfModule, alarmOfTemplate } from './alarms.ts';
import { DEPLOYMENTS, forRoles } from './deployments.ts';

const functions = [
  { strategy: 'single-user', other: 'alternating-users', id: 'SingleUser' },
  { strategy: 'alternating-users', other: 'single-user', id: 'AlternatingUsers' },
] as const;
const named = ({ vpc, keys, superusers }: RoleChoices) => `vpc: ${vpc}, keys: ${keys}, superusers: ${superusers}`;
const roleCases = ROLE_CHOICES.flatMap((choices) =>
  functions.map((each) => ({ ...each, choices, name: named(choices) })),
);
const stacks = samStacks(DEPLOYMENTS);

/** The template's values under the names that the module gives where CloudFormation makes names up. */
function renamed(value: Json | undefined): Json {
  const names = {
    'rotation-SingleUserFunction': 'rotation-single-user',
    'rotation-AlternatingUsersFunction': 'rotation-alternating-users',
    'rotation-AlarmTopic': 'rotation-alarms',
  };
  const text = JSON.stringify(value ?? null);
  return JSON.parse(Object.entries(names).reduce((so, [theirs, ours]) => so.replaceAll(theirs, ours), text));
}

const parsed = (json: Json | undefined): Json => JSON.parse(asText(json));
const all = (list: Json | undefined): JsonObject[] => asList(list ?? []).map(asObject);
const first = (list: Json | undefined): JsonObject => all(list)[0] ?? {};

describe.skipIf(!terraformIsHere)('the module', () => {
  let use: (name: string) => MadeUpModule;
  beforeAll(async () => {
    const roles = ROLE_CHOICES.map((each) => [named(each), variablesFor(forRoles(each))] as const);
    const others = Object.entries(DEPLOYMENTS).map(([name, parameters]) => [name, variablesFor(parameters)] as const);
    use = await madeUpModules(Object.fromEntries([...roles, ...others]));
  }, 300_000);

  describe.each(roleCases)("$strategy's role, $name", ({ strategy, other, choices, name }) => {
    it.each(ROLE_RULES)('$rule', ({ calls }) => {
      const policies = use(name).policiesOfRole(strategy);
      const bearer = {
        strategy,
        functionArn: use(name).functionArn(strategy),
        otherFunctionArn: use(name).functionArn(other),
        logGroup: use(name).logGroup(strategy),
        otherLogGroup: use(name).logGroup(other),
      };
      const misjudged = calls(bearer, choices).filter((call) => isAllowed(policies, call) !== call.allowed);
      expect(misjudged).toEqual([]);
    });
  });

  it('gives its roles no other policies than those that are judged here', () => {
    const types = use('plain')
      .types()
      .filter((type) => type.startsWith('aws_iam_'));
    expect(types.toSorted()).toEqual(['aws_iam_role', 'aws_iam_role_policy']);
  });

  describe.skipIf(!samTranslatorIsHere).each(['plain', 'full', 'bare'] as const)('as the template, %s', (name) => {
    it.each(functions)('has a function for $strategy', ({ strategy, id }) => {
      const wanted = stacks(name).resource(`${id}Function`).properties;
      const made = use(name).resource('aws_lambda_function', strategy);
      const vpc = first(made.vpc_config);
      expect({
        Description: made.description,
        Handler: made.handler,
        Architectures: made.architectures,
        MemorySize: String(made.memory_size),
        Timeout: String(made.timeout),
        Layers: made.layers ?? [],
        Environment: first(made.environment).variables,
        Subnets: vpc.subnet_ids ?? [],
        SecurityGroups: vpc.security_group_ids ?? [],
        LogFormat: first(made.logging_config).log_format,
        LogGroup: first(made.logging_config).log_group,
      }).toEqual({
        Description: wanted.Description,
        Handler: wanted.Handler,
        Architectures: wanted.Architectures,
        MemorySize: wanted.MemorySize,
        Timeout: wanted.Timeout,
        Layers: wanted.Layers ?? [],
        Environment: asObject(wanted.Environment).Variables,
        Subnets: asObject(wanted.VpcConfig ?? {}).SubnetIds ?? [],
        SecurityGroups: asObject(wanted.VpcConfig ?? {}).SecurityGroupIds ?? [],
        ...asObject(wanted.LoggingConfig),
      });
      if (wanted.FunctionName !== undefined) expect(made.function_name).toBe(wanted.FunctionName);
    });

    it.each(functions)('has a role and a log group for $strategy', ({ strategy, id }) => {
      const stack = stacks(name);
      const [role, wantedRole] = [use(name).resource('aws_iam_role', strategy), stack.resource(`${id}Role`).properties];
      expect(role.path).toBe(wantedRole.Path);
      expect(role.permissions_boundary).toBe(wantedRole.PermissionsBoundary ?? null);
      expect(documentOf(role.assume_role_policy)).toEqual(wantedRole.AssumeRolePolicyDocument);
      const group = use(name).resource('aws_cloudwatch_log_group', strategy);
      const wanted = stack.resource(`${id}LogGroup`).properties;
      expect([group.name, String(group.retention_in_days), group.kms_key_id]).toEqual([
        wanted.LogGroupName,
        wanted.RetentionInDays,
        wanted.KmsKeyId ?? null,
      ]);
    });

    it.each(functions)('lets Secrets Manager of the account alone invoke it for $strategy', ({ strategy, id }) => {
      const { action, principal, source_account } = use(name).resource('aws_lambda_permission', strategy);
      const wanted = stacks(name).resource(`${id}Permission`).properties;
      expect([action, principal, source_account]).toEqual([wanted.Action, wanted.Principal, wanted.SourceAccount]);
      expect(Object.keys(use(name).resources('aws_lambda_permission'))).toHaveLength(functions.length);
    });

    it('has the same alarms', () => {
      const stack = stacks(name);
      const wanted = stack.resources('AWS::CloudWatch::Alarm').map((id) => stack.resource(id).properties);
      const made = Object.values(use(name).resources('aws_cloudwatch_metric_alarm'));
      const byName = (one: JsonObject, other: JsonObject) => asText(one.name).localeCompare(asText(other.name));
      expect(made.map(alarmOfModule).toSorted(byName)).toEqual(
        wanted.map((alarm) => alarmOfTemplate(asObject(renamed(alarm)))).toSorted(byName),
      );
      expect(wanted).toHaveLength(name === 'bare' ? 0 : 6);
    });

    it('tells the same topic of the same failures, in the same sentence', () => {
      const stack = stacks(name);
      const rule = use(name).resources('aws_cloudwatch_event_rule')['rotation_failed 0'];
      expect(rule !== undefined).toBe(stack.has('RotationFailedRule'));
      if (!stack.has('RotationFailedRule')) return;
      const wanted = asObject(renamed(stack.resource('RotationFailedRule').properties));
      const target = first(wanted.Targets);
      const { InputPathsMap, InputTemplate } = asObject(target.InputTransformer);
      const made = use(name).only('aws_cloudwatch_event_target');
      const transformer = first(made.input_transformer);
      expect(parsed(rule?.event_pattern)).toEqual(wanted.EventPattern);
      expect([made.arn, transformer.input_paths, transformer.input_template]).toEqual([
        target.Arn,
        InputPathsMap,
        InputTemplate,
      ]);
    });

    it('tells the same topic of successes, or none', () => {
      const stack = stacks(name);
      const rule = use(name).resources('aws_cloudwatch_event_rule')['rotation_succeeded 0'];
      expect(rule !== undefined).toBe(stack.has('RotationSucceededRule'));
      if (!stack.has('RotationSucceededRule')) return;
      const wanted = stack.resource('RotationSucceededRule').properties;
      const made = use(name).only('aws_cloudwatch_event_target');
      expect([parsed(rule?.event_pattern), made.arn]).toEqual([wanted.EventPattern, first(wanted.Targets).Arn]);
    });

    it('has the same topic, or none', () => {
      const stack = stacks(name);
      expect(use(name).types().includes('aws_sns_topic')).toBe(stack.has('AlarmTopic'));
      if (!stack.has('AlarmTopic')) return;
      const wanted = asObject(renamed(stack.resource('AlarmTopicPolicy').properties));
      expect(parsed(use(name).only('aws_sns_topic_policy').policy)).toEqual(wanted.PolicyDocument);
      const { protocol, endpoint } = use(name).only('aws_sns_topic_subscription');
      expect(stack.resource('AlarmTopic').properties.Subscription).toEqual([
        { Protocol: protocol, Endpoint: endpoint },
      ]);
    });

    it('has the same dashboard, or none', () => {
      const stack = stacks(name);
      expect(use(name).types().includes('aws_cloudwatch_dashboard')).toBe(stack.has('Dashboard'));
      if (!stack.has('Dashboard')) return;
      const wanted = asText(renamed(stack.resource('Dashboard').properties.DashboardBody));
      expect(parsed(use(name).only('aws_cloudwatch_dashboard').dashboard_body)).toEqual(JSON.parse(wanted));
    });
  });

  it.skipIf(!samTranslatorIsHere)('attaches a secret as the template does', () => {
    const made = use('full').only('aws_secretsmanager_secret_rotation');
    const wanted = asObject(renamed(stacks('full').resource('AttachedSecretRotation').properties));
    const { schedule_expression, duration } = first(made.rotation_rules);
    expect([made.secret_id, made.rotation_lambda_arn, made.rotate_immediately]).toEqual([
      wanted.SecretId,
      wanted.RotationLambdaARN,
      wanted.RotateImmediatelyOnUpdate,
    ]);
    expect(wanted.RotationRules).toEqual({ ScheduleExpression: schedule_expression, Duration: duration });
  });

  it('lets applications read the secrets that are attached, and decrypt them, and nothing else', () => {
    const policies = [documentOf(use('full').only('aws_iam_policy').policy)];
    const reads = (resource: string) => isAllowed(policies, { action: 'secretsmanager:GetSecretValue', resource });
    const decrypts = (secret: string, action = 'kms:Decrypt') =>
      isAllowed(policies, {
        action,
        resource: KEY,
        context: {
          'kms:EncryptionContext:SecretARN': secret,
          'kms:ViaService': 'secretsmanager.eu-west-1.amazonaws.com',
        },
      });
    expect([APP_SECRET, OTHER_SECRET].map(reads)).toEqual([true, false]);
    expect([APP_SECRET, OTHER_SECRET].map((secret) => decrypts(secret))).toEqual([true, false]);
    expect(decrypts(APP_SECRET, 'kms:GenerateDataKey')).toBe(false);
    expect(isAllowed(policies, { action: 'secretsmanager:PutSecretValue', resource: APP_SECRET })).toBe(false);
    expect(use('plain').types()).not.toContain('aws_iam_policy');
  });
});
