import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { asList, asObject, asText, type Json, type Parameters, Stack } from '../../support/cloudformation.ts';
import { matches } from '../../support/event-pattern.ts';
import { samStacks, samTranslatorIsHere } from '../../support/sam.ts';
import { run, toolIsHere } from '../../support/tools.ts';
import { APP_SECRET, TOPIC } from './stacks.ts';

const TEMPLATE = fileURLToPath(new URL('../../../templates/restart-consumers.yaml', import.meta.url));
const SERVICES = ['web', 'jobs'].map((name) => `arn:aws:ecs:eu-west-1:111122223333:service/shop/${name}`);
const FUNCTIONS = ['api', 'mail'].map((name) => `arn:aws:lambda:eu-west-1:111122223333:function:${name}`);
const ALL = {
  SecretArn: APP_SECRET,
  EcsServiceArns: SERVICES.join(),
  LambdaFunctionArns: FUNCTIONS.join(),
  TopicArn: TOPIC,
};
const stacks = samStacks(
  {
    all: ALL,
    services: { SecretArn: APP_SECRET, EcsServiceArns: SERVICES.join() },
    functions: { SecretArn: APP_SECRET, LambdaFunctionArns: FUNCTIONS.join() },
  },
  TEMPLATE,
);
const cfnLintIsHere = toolIsHere('cfn-lint', ['cfn-lint', '--version'], 'REQUIRE_CFN_LINT');

/** What the state machine's role may do, by action. */
function allowed(stack: Stack): Record<string, Json> {
  const policies = asList(stack.resource('StateMachineRole').properties.Policies).map(asObject);
  const statements = policies.flatMap((policy) => asList(asObject(policy.PolicyDocument).Statement).map(asObject));
  return Object.fromEntries(statements.map(({ Action, Resource = null }) => [asText(Action ?? null), Resource]));
}

const statesOf = (stack: Stack) =>
  asObject(asObject(stack.resource('StateMachine').properties.Definition ?? null).States ?? null);

describe.skipIf(!cfnLintIsHere)('cfn-lint', { timeout: 60_000 }, () => {
  it('has nothing to say of restart-consumers.yaml', () => {
    expect(run('cfn-lint', ['--', TEMPLATE])).toBe('');
  });
});

describe.skipIf(!samTranslatorIsHere)('restart-consumers.yaml', () => {
  it('starts when another version of that secret has become AWSCURRENT, and on nothing else', () => {
    const pattern = asObject(stacks('all').resource('Rule').properties.EventPattern ?? null);
    /** As in the user guide's example of this event, with our secret. */
    const event = (secret: string, labelUpdated: string) => ({
      version: '0',
      'detail-type': 'Secret Label Updated',
      source: 'aws.secretsmanager',
      account: '111122223333',
      region: 'eu-west-1',
      resources: [secret],
      detail: { name: 'shop', labelUpdated, versionId: 'a1b2c3d4-5678-90ab-cdef-EXAMPLE11111' },
    });
    expect(matches(pattern, event(APP_SECRET, 'AWSCURRENT'))).toBe(true);
    expect(matches(pattern, event(APP_SECRET, 'blue'))).toBe(false);
    expect(matches(pattern, event(`${APP_SECRET}x`, 'AWSCURRENT'))).toBe(false);
    const rotated = { ...event(APP_SECRET, 'AWSCURRENT'), 'detail-type': 'AWS Service Event via CloudTrail' };
    expect(matches(pattern, rotated)).toBe(false);
  });

  it('may do what it does, to what was named, and nothing more', () => {
    expect(allowed(stacks('all'))).toEqual({
      'ecs:UpdateService': SERVICES,
      'lambda:UpdateFunctionConfiguration': FUNCTIONS,
      'sns:Publish': TOPIC,
    });
    expect(allowed(stacks('services'))).toEqual({ 'ecs:UpdateService': SERVICES });
    expect(allowed(stacks('functions'))).toEqual({ 'lambda:UpdateFunctionConfiguration': FUNCTIONS });
  });

  it.each([
    'all',
    'services',
    'functions',
  ] as const)('leaves no state that nobody comes to or that is not there: %s', (name) => {
    const states = statesOf(stacks(name));
    const next = Object.values(states)
      .map(asObject)
      .flatMap((state) => [
        ...(state.Next === undefined ? [] : [asText(state.Next)]),
        ...(state.Catch === undefined ? [] : asList(state.Catch).map((each) => asText(asObject(each).Next ?? null))),
      ]);
    expect(new Set(['Restart', ...next])).toEqual(new Set(Object.keys(states)));
  });

  it('goes through what was named', () => {
    const branches = asList(asObject(statesOf(stacks('all')).Restart ?? null).Branches ?? null).map(asObject);
    const items = branches.map((branch) =>
      Object.values(asObject(branch.States ?? null)).map((state) => asObject(state).Items),
    );
    expect(items).toEqual([[SERVICES], [FUNCTIONS]]);
  });

  it('refuses to be made for nothing, and what is no ARN', () => {
    const { template } = stacks('all');
    const broken = (parameters: Parameters) => new Stack(template, parameters).brokenRules();
    expect(broken(ALL)).toEqual([]);
    expect(broken({ SecretArn: APP_SECRET })).toHaveLength(1);
    expect(() => new Stack(template, { ...ALL, EcsServiceArns: 'web' })).toThrow('EcsServiceArns');
    expect(() => new Stack(template, { ...ALL, LambdaFunctionArns: `${FUNCTIONS[0]}:1` })).toThrow(
      'LambdaFunctionArns',
    );
  });
});
