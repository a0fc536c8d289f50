/** What is told of failures: held against events as AWS has sent them, and against what EventBridge allows. */
import { describe, expect, it } from 'vitest';
import { asList, asObject, asText, type JsonObject } from '../../support/cloudformation.ts';
import { matches, transformed } from '../../support/event-pattern.ts';
import { isAllowed, policyDocument } from '../../support/iam.ts';
import { samStacks, samTranslatorIsHere } from '../../support/sam.ts';
import { APP_SECRET, TOPIC } from './stacks.ts';

const stacks = samStacks({ mailed: { AlarmEmail: 'ops@example.com' }, told: { AlarmTopicArn: TOPIC } });
const rule = (name: 'mailed' | 'told' = 'mailed') => stacks(name).resource('RotationFailedRule').properties;
const heard = (event: JsonObject) => matches(asObject(rule().EventPattern), event);
const failedCall = (functionArn: string) => `Error when executing lambda ${functionArn} during createSecret step`;

/** A failure as CloudTrail hands it to EventBridge (of 2021, with other names): no field names the function. */
function reported(eventName: string, errorMessage?: string): JsonObject {
  return {
    version: '0',
    'detail-type': 'AWS Service Event via CloudTrail',
    source: 'aws.secretsmanager',
    account: '111122223333',
    time: '2026-09-01T00:50:20Z',
    region: 'eu-west-1',
    detail: {
      eventSource: 'secretsmanager.amazonaws.com',
      eventName,
      ...(errorMessage === undefined ? {} : { errorMessage }),
      requestParameters: null,
      additionalEventData: { SecretId: APP_SECRET },
      eventType: 'AwsServiceEvent',
    },
  };
}

describe.skipIf(!samTranslatorIsHere)('EventBridge', () => {
  it.each(['RotationFailed', 'TestRotationFailed', 'RotationAbandoned'])('tells of %s', (eventName) => {
    expect(heard(reported(eventName))).toBe(true);
    for (const id of ['SingleUserFunction', 'AlternatingUsersFunction']) {
      expect(heard(reported(eventName, failedCall(stacks('mailed').arn(id))))).toBe(true);
    }
  });

  it.each([
    'RotationStarted',
    'RotationSucceeded',
    'TestRotationSucceeded',
    'StartSecretVersionDelete',
  ])('is silent about %s', (eventName) => {
    expect(heard(reported(eventName))).toBe(false);
  });

  it('is silent about failures of other functions, where the event names the function', () => {
    const other = 'arn:aws:lambda:eu-west-1:111122223333:function:SecretsManagerMySQL';
    expect(heard(reported('RotationFailed', failedCall(other)))).toBe(false);
    expect(heard(reported('RotationFailed', 'Access to KMS is not allowed'))).toBe(true);
  });

  it('says in a sentence what happened to which secret, and what to do', () => {
    for (const name of ['mailed', 'told'] as const) {
      const [target] = asList(rule(name).Targets).map(asObject);
      const said = asText(transformed(asObject(target?.InputTransformer), reported('TestRotationFailed')));
      expect(said).toMatch(/^TestRotationFailed: Secrets Manager reports .*\.$/);
      for (const part of [APP_SECRET, '111122223333', 'eu-west-1', '2026-09-01T00:50:20Z'])
        expect(said).toContain(part);
      expect(said).toContain(`rotation doctor ${APP_SECRET}`);
      expect(said).not.toMatch(/[<>\n]/);
    }
  });

  it('tells the topic made for the address, or the one that is given', () => {
    expect(asObject(asList(rule('mailed').Targets)[0]).Arn).toBe(stacks('mailed').ref('AlarmTopic'));
    expect(asObject(asList(rule('told').Targets)[0]).Arn).toBe(TOPIC);
  });

  it('may publish without any condition, none of which it fulfils at a topic', () => {
    const stack = stacks('mailed');
    const { PolicyDocument } = stack.resource('AlarmTopicPolicy').properties;
    const { Version, Statement } = policyDocument(PolicyDocument);
    /** What the topic's policy says to one service, as an identity's policy would say it. */
    const forService = (service: string) => ({
      Version,
      Statement: asList(Statement)
        .map(asObject)
        .filter(({ Principal }) => asObject(Principal).Service === service)
        .map(({ Principal: _, ...statement }) => statement),
    });
    const publish = { action: 'sns:Publish', resource: stack.ref('AlarmTopic') };
    expect(isAllowed([forService('events.amazonaws.com')], publish)).toBe(true);
    expect(isAllowed([forService('cloudwatch.amazonaws.com')], publish)).toBe(false);
  });
});
