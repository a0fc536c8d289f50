import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  asList,
  asObject,
  asText,
  dependencies,
  type Parameters,
  PSEUDO,
  Stack,
} from '../../support/cloudformation.ts';
import { samStacks, samTranslatorIsHere } from '../../support/sam.ts';
import {
  ALTERNATING,
  APP_SECRET,
  ATTACHED,
  IAM_ADMINISTRATOR,
  KEY,
  SUPERUSER_SECRET,
  SUPERUSERS,
  TOPIC,
  VPC,
} from './stacks.ts';

const stacks = samStacks({
  plain: {},
  mailed: { AlarmEmail: 'ops@example.com' },
  told: { AlarmTopicArn: TOPIC },
  successes: { SuccessTopicArn: TOPIC },
  full: { ...VPC, ...ALTERNATING, KmsKeyArns: KEY, AlarmEmail: 'ops@example.com' },
});
const templateText = readFileSync(new URL('../../../template.yaml', import.meta.url), 'utf8');

/** The same template with other parameters; it is the same for all of them, which a test below makes sure of. */
const withParameters = (parameters: Parameters) => new Stack(stacks('plain').template, parameters);

describe('template.yaml', () => {
  it('uses no YAML anchor or alias, which CloudFormation does not read', () => {
    const marks = templateText
      .split('\n')
      .filter((line) => /(^|[\s[{,:-])[&*][A-Za-z]/.test(line.replace(/'[^']*'|#.*/g, '')));
    expect(marks).toEqual([]);
  });
});

describe.skipIf(!samTranslatorIsHere)('the transformed template', () => {
  it('is the same whatever the parameters, all of them being left to CloudFormation', () => {
    expect(stacks('full').template).toEqual(stacks('plain').template);
  });

  it('has no circular reference', () => {
    const graph = dependencies(stacks('plain').template);
    const done = new Set<string>();
    const visit = (id: string, path: readonly string[]) => {
      expect(path, 'resources that need each other').not.toContain(id);
      if (done.has(id)) return;
      for (const needed of graph.get(id) ?? []) visit(needed, [...path, id]);
      done.add(id);
    };
    for (const id of graph.keys()) visit(id, []);
    expect(done.size).toBe(graph.size);
  });

  it('makes role and log group before a function, and the function before what may be done with it', () => {
    const graph = dependencies(stacks('plain').template);
    for (const id of ['SingleUser', 'AlternatingUsers']) {
      expect(graph.get(`${id}Function`)).toEqual(new Set([`${id}Role`, `${id}VpcPolicy`, `${id}LogGroup`]));
      expect(graph.get(`${id}VpcPolicy`)).toEqual(new Set([`${id}Role`]));
      expect(graph.get(`${id}Policy`)).toEqual(new Set([`${id}Role`, `${id}Function`]));
      expect(graph.get(`${id}Permission`)).toEqual(new Set([`${id}Function`]));
    }
  });

  it('describes, labels and groups each parameter, once', () => {
    const { Parameters: parameters, Metadata } = stacks('plain').template;
    const form = asObject(Metadata['AWS::CloudFormation::Interface']);
    const grouped = asList(form.ParameterGroups).flatMap((group) => asList(asObject(group).Parameters).map(asText));
    expect(grouped.toSorted()).toEqual(Object.keys(parameters).toSorted());
    expect(Object.keys(asObject(form.ParameterLabels)).toSorted()).toEqual(Object.keys(parameters).toSorted());
    for (const [name, parameter] of Object.entries(parameters)) {
      expect(parameter.Description, name).toMatch(/\w/);
      expect(parameter.Default, name).toBeDefined();
    }
  });

  it('is filled in for the Serverless Application Repository', () => {
    const metadata = asObject(stacks('plain').template.Metadata['AWS::ServerlessRepo::Application']);
    expect(asText(metadata.Author)).toMatch(/^[a-z0-9](([a-z0-9]|-(?!-))*[a-z0-9])?$/);
    expect(asText(metadata.SemanticVersion)).toMatch(/^\d+\.\d+\.\d+$/);
    expect(asList(metadata.Labels).length).toBeLessThanOrEqual(10);
    expect(metadata).toMatchObject({ SpdxLicenseId: 'MIT', LicenseUrl: 'LICENSE', ReadmeUrl: 'README.md' });
    const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
    expect(metadata.SemanticVersion).toBe(version);
  });

  it.each([
    ['SubnetIds', 'subnet-0a1b2c3d, subnet-1a2b3c4d'],
    ['SubnetIds', 'vpc-0a1b2c3d'],
    ['SecurityGroupIds', 'sg-0a1b2c3d;sg-1a2b3c4d'],
    ['SecretsManagerEndpoint', 'http://vpce.amazonaws.com'],
    ['SuperuserSecretArns', 'admin'],
    ['SuperuserSecretArns', SUPERUSER_SECRET.replace('admin', '*')],
    ['SuperuserSecretArns', SUPERUSER_SECRET.slice(0, -7)],
    ['IamAdministratorArns', IAM_ADMINISTRATOR.replace('rotator', '*')],
    ['IamAdministratorArns', IAM_ADMINISTRATOR.replace('db-ABCDEFGHIJKL01234', '*')],
    ['IamAdministratorArns', IAM_ADMINISTRATOR.replace('db-ABCDEFGHIJKL01234', 'orders')],
    ['KmsKeyArns', KEY.replace('key/', 'alias/')],
    ['KmsKeyArns', `${KEY},`],
    ['PasswordLength', '7'],
    ['PasswordLength', '4097'],
    ['ExcludeNumbers', 'yes'],
    ['TimeoutSeconds', '3'],
    ['LogRetentionDays', '2'],
    ['AlarmTopicArn', 'operators'],
    ['AlarmEmail', 'operators'],
    ['SecretArn', 'team/app'],
    ['Strategy', 'both'],
    ['ScheduleExpression', 'rate(30 minutes)'],
    ['ScheduleExpression', 'cron(15 0 1 * ? *)'],
    ['ScheduleExpression', 'every month'],
    ['Duration', '25h'],
    ['Duration', '2'],
  ])('refuses %s "%s"', (name, value) => {
    expect(() => withParameters({ [name]: value })).toThrow(`Parameter ${name} can't be`);
  });

  it.each([
    ['PasswordLength', '8'],
    ['PasswordLength', '4096'],
    ['IamAdministratorArns', `${IAM_ADMINISTRATOR},${IAM_ADMINISTRATOR.replace('db-', 'cluster-')}`],
    ['ScheduleExpression', 'rate(4 hours)'],
    ['ScheduleExpression', 'cron(0 8-18/4 ? * MON-FRI *)'],
    ['Duration', '24h'],
    ['SecretArn', 'arn:aws-us-gov:secretsmanager:us-gov-west-1:111122223333:secret:a/b+c=d.e@f!g-a1B2c3'],
  ])('accepts %s "%s"', (name, value) => {
    expect(withParameters({ [name]: value }).ref(name)).toBe(value);
  });

  it('refuses parameters that make no sense together, in words', () => {
    const broken = (parameters: Parameters) => withParameters(parameters).brokenRules().join();
    expect(broken({})).toBe('');
    expect(broken(VPC)).toBe('');
    expect(broken({ SubnetIds: VPC.SubnetIds ?? '' })).toContain('SecurityGroupIds');
    expect(broken({ SecurityGroupIds: VPC.SecurityGroupIds ?? '' })).toContain('SubnetIds');
    expect(broken({ AlarmEmail: 'ops@example.com', AlarmTopicArn: TOPIC })).toContain('AlarmEmail');
    expect(broken(ATTACHED)).toBe('');
    expect(broken({ ...ATTACHED, Strategy: 'alternating-users' })).toContain('SuperuserSecretArns');
    expect(broken(ALTERNATING)).toBe('');
  });
});

describe.skipIf(!samTranslatorIsHere)('the secret attached by the stack', () => {
  const schedule = (parameters: Parameters) => withParameters(parameters).resource('AttachedSecretRotation');

  it('is none unless named', () => {
    expect(withParameters({}).resources('AWS::SecretsManager::RotationSchedule')).toEqual([]);
  });

  it('keeps its logical id, because renaming it would switch rotation off', () => {
    expect(withParameters(ATTACHED).resources('AWS::SecretsManager::RotationSchedule')).toEqual([
      'AttachedSecretRotation',
    ]);
  });

  it('waits for the invoke permission and the policies', () => {
    expect(schedule(ATTACHED).dependsOn.toSorted()).toEqual([
      'AlternatingUsersPermission',
      'AlternatingUsersPolicy',
      'SingleUserPermission',
      'SingleUserPolicy',
    ]);
  });

  it.each([
    ['single-user', 'SingleUserFunction', ATTACHED],
    ['alternating-users', 'AlternatingUsersFunction', ALTERNATING],
  ])('is rotated for %s by %s, not at once and in the default window', (Strategy, id, parameters) => {
    expect(schedule({ ...parameters, Strategy }).properties).toEqual({
      SecretId: APP_SECRET,
      RotationLambdaARN: withParameters(parameters).arn(id),
      RotateImmediatelyOnUpdate: false,
      RotationRules: { ScheduleExpression: 'rate(30 days)' },
    });
  });

  it('is rotated at once, and in a given window, only when asked', () => {
    const asked = { ...ATTACHED, RotateImmediately: 'true', Duration: '3h', ScheduleExpression: 'rate(7 days)' };
    expect(schedule(asked).properties).toMatchObject({
      RotateImmediatelyOnUpdate: true,
      RotationRules: { ScheduleExpression: 'rate(7 days)', Duration: '3h' },
    });
  });
});

describe.skipIf(!samTranslatorIsHere)('alarms', () => {
  const alarms = (name: 'plain' | 'mailed' | 'told') =>
    Object.fromEntries(
      stacks(name)
        .resources('AWS::CloudWatch::Alarm')
        .map((id) => [id, stacks(name).resource(id).properties]),
    );
  const functions = ['SingleUser', 'AlternatingUsers'];

  it('watch errors, throttles and durations of both functions', () => {
    expect(Object.keys(alarms('plain'))).toHaveLength(6);
    for (const id of functions) {
      for (const [kind, metric] of [
        ['Error', 'Errors'],
        ['Throttle', 'Throttles'],
      ]) {
        expect(alarms('plain')[`${id}${kind}Alarm`]).toMatchObject({
          Namespace: 'AWS/Lambda',
          MetricName: metric,
          Dimensions: [{ Name: 'FunctionName', Value: stacks('plain').ref(`${id}Function`) }],
          Statistic: 'Sum',
          Threshold: 1,
          ComparisonOperator: 'GreaterThanOrEqualToThreshold',
          TreatMissingData: 'notBreaching',
        });
      }
    }
  });

  it('go off when a step takes over four fifths of the time-out', () => {
    for (const id of functions) {
      const alarm = asObject(alarms('plain')[`${id}DurationAlarm`]);
      expect(alarm).toMatchObject({ Threshold: 80, ComparisonOperator: 'GreaterThanThreshold' });
      const [percent, duration] = asList(alarm.Metrics);
      // 60 s: 48,001 ms / (60 * 10) is just over 80 per cent.
      expect(percent).toMatchObject({ Expression: 'duration / (60 * 10)' });
      expect(duration).toMatchObject({
        Id: 'duration',
        ReturnData: false,
        MetricStat: {
          Stat: 'Maximum',
          Metric: {
            MetricName: 'Duration',
            Dimensions: [{ Name: 'FunctionName', Value: stacks('plain').ref(`${id}Function`) }],
          },
        },
      });
    }
  });

  it.each([
    ['nobody without a topic or address', 'plain', undefined],
    ['the topic made for the address', 'mailed', [`arn:aws:sns:eu-west-1:111122223333:rotation-AlarmTopic`]],
    ['the topic that is given', 'told', [TOPIC]],
  ] as const)('tell %s', (_, name, actions) => {
    for (const alarm of Object.values(alarms(name))) expect(alarm.AlarmActions).toEqual(actions);
  });

  it('make a topic only for an address, open to EventBridge, and to the alarms of this stack alone', () => {
    for (const name of ['plain', 'told'] as const) {
      expect(
        stacks(name)
          .resources()
          .filter((id) => id.startsWith('AlarmTopic')),
      ).toEqual([]);
    }
    const stack = stacks('mailed');
    const topic = stack.ref('AlarmTopic');
    expect(stacks('plain').resources('AWS::Events::Rule')).toEqual([]);
    expect(stack.resource('AlarmTopic').properties.Subscription).toEqual([
      { Protocol: 'email', Endpoint: 'ops@example.com' },
    ]);
    const { Topics, PolicyDocument } = stack.resource('AlarmTopicPolicy').properties;
    expect(Topics).toEqual([topic]);
    const statements = asList(asObject(PolicyDocument).Statement).map(asObject);
    expect(statements.map(({ Principal }) => asObject(Principal).Service)).toEqual([
      'events.amazonaws.com',
      'cloudwatch.amazonaws.com',
    ]);
    for (const { Effect, Action, Resource } of statements) {
      expect({ Effect, Action, Resource }).toEqual({ Effect: 'Allow', Action: 'sns:Publish', Resource: topic });
    }
    expect(statements[0]).not.toHaveProperty('Condition');
    const mine = asText(asObject(asObject(statements[1]?.Condition).ArnLike)['aws:SourceArn']).replace(/.*:alarm:/, '');
    for (const alarm of Object.values(alarms('mailed'))) {
      expect(asText(alarm.AlarmName).startsWith(mine.replace(/\*$/, ''))).toBe(true);
    }
  });
});

describe.skipIf(!samTranslatorIsHere)('outputs', () => {
  it('name functions, roles, log groups and the dashboard', () => {
    const stack = stacks('plain');
    expect(stack.outputs()).toMatchObject({
      SingleUserFunctionArn: stack.arn('SingleUserFunction'),
      AlternatingUsersFunctionArn: stack.arn('AlternatingUsersFunction'),
      SingleUserRoleArn: stack.arn('SingleUserRole'),
      AlternatingUsersRoleArn: stack.arn('AlternatingUsersRole'),
      SingleUserLogGroup: `/aws/lambda/${PSEUDO['AWS::StackName']}/single-user`,
      AlternatingUsersLogGroup: `/aws/lambda/${PSEUDO['AWS::StackName']}/alternating-users`,
      DashboardUrl: expect.stringMatching(/^https:\/\/eu-west-1\.console\.aws\.amazon\.com\/cloudwatch\//),
    });
    expect(stack.outputs()).not.toHaveProperty('AlarmTopicArn');
    expect(stacks('mailed').outputs().AlarmTopicArn).toBe(stacks('mailed').ref('AlarmTopic'));
  });

  it('give the command that attaches a secret, without rotating at once', () => {
    const stack = withParameters(SUPERUSERS);
    for (const [output, id] of [
      ['AttachSingleUser', 'SingleUserFunction'],
      ['AttachAlternatingUsers', 'AlternatingUsersFunction'],
    ] as const) {
      const command = stack.outputs()[output];
      expect(command).toContain(`--rotation-lambda-arn ${stack.arn(id)} `);
      expect(command).toMatch(/ --no-rotate-immediately$/);
    }
  });
});

describe.skipIf(!samTranslatorIsHere)('successful rotations', () => {
  it('are told to the topic that is given, and to nobody otherwise', () => {
    expect(stacks('successes').resource('RotationSucceededRule').properties).toMatchObject({
      EventPattern: { detail: { eventName: ['RotationSucceeded'] } },
      Targets: [{ Id: 'Topic', Arn: TOPIC }],
    });
    expect(() => stacks('plain').resource('RotationSucceededRule')).toThrow();
  });
});
