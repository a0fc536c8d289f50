import { describe, expect, it } from 'vitest';
import { RotationError } from '../../../shared/errors.ts';
import { parseEvent, STEPS } from '../../../shared/rotation/event.ts';

const ARN = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:app-AbCdEf';
const TOKEN = '0b41d1e2-7c27-4b57-8a51-4a3c0f7a9d10';
const ROTATION_TOKEN = 'rotation-token-that-nobody-should-ever-see';
const EVENT = { Step: 'createSecret', SecretId: ARN, ClientRequestToken: TOKEN };

function refusal(input: unknown): RotationError {
  try {
    parseEvent(input);
  } catch (error) {
    if (error instanceof RotationError) return error;
    throw error;
  }
  throw new Error('The event should have been refused.');
}

describe('an event of Secrets Manager', () => {
  it.each(STEPS)('is read for %s', (step) => {
    expect(parseEvent({ ...EVENT, Step: step })).toEqual({ step, secretArn: ARN, versionId: TOKEN });
  });

  it('keeps its RotationToken where it has one', () => {
    expect(parseEvent({ ...EVENT, RotationToken: ROTATION_TOKEN }).rotationToken).toBe(ROTATION_TOKEN);
  });

  it.each([[undefined], [null]])('has no RotationToken where the service sends %s', (RotationToken) => {
    expect(parseEvent({ ...EVENT, RotationToken })).not.toHaveProperty('rotationToken');
  });

  it('may carry fields that we do not know yet', () => {
    expect(parseEvent({ ...EVENT, Attempt: 3 })).toEqual({ step: 'createSecret', secretArn: ARN, versionId: TOKEN });
  });

  it.each([32, 64])('may have a token of %i characters', (length) => {
    expect(parseEvent({ ...EVENT, ClientRequestToken: 'a'.repeat(length) }).versionId).toHaveLength(length);
  });
});

describe('anything else is refused', () => {
  it.each<[string, string, unknown]>([
    ['nothing', 'event', undefined],
    ['null', 'event', null],
    ['a string', 'event', JSON.stringify(EVENT)],
    ['an empty array', 'Step', []],
    ['no step', 'Step', { ...EVENT, Step: undefined }],
    ['an unknown step', 'Step', { ...EVENT, Step: 'dropDatabase' }],
    ['a step in other case', 'Step', { ...EVENT, Step: 'CreateSecret' }],
    ['a step that every object has', 'Step', { ...EVENT, Step: 'toString' }],
    ['no secret', 'SecretId', { Step: 'setSecret', ClientRequestToken: TOKEN }],
    ['an empty secret', 'SecretId', { ...EVENT, SecretId: '' }],
    ['a secret that is a number', 'SecretId', { ...EVENT, SecretId: 7 }],
    ['no token', 'ClientRequestToken', { Step: 'setSecret', SecretId: ARN }],
    ['a token of 31 characters', 'ClientRequestToken', { ...EVENT, ClientRequestToken: 'a'.repeat(31) }],
    ['a token of 65 characters', 'ClientRequestToken', { ...EVENT, ClientRequestToken: 'a'.repeat(65) }],
    [
      'an inherited token',
      'ClientRequestToken',
      Object.create(EVENT, { Step: { value: 'setSecret' }, SecretId: { value: ARN } }),
    ],
    ['an empty RotationToken', 'RotationToken', { ...EVENT, RotationToken: '' }],
    ['a RotationToken of 257 characters', 'RotationToken', { ...EVENT, RotationToken: 'a'.repeat(257) }],
    ['a RotationToken that is an object', 'RotationToken', { ...EVENT, RotationToken: {} }],
  ])('%s, naming %s', (_, key, input) => {
    expect(refusal(input)).toMatchObject({ code: 'INVALID_EVENT', facts: { key } });
  });

  it.each<[unknown, string]>([
    [undefined, 'event: an object was needed, found nothing.'],
    [{ ...EVENT, Step: 'x' }, 'Step: one of createSecret, setSecret, testSecret, finishSecret was needed, found some'],
    [{ ...EVENT, SecretId: 7 }, 'SecretId: a string was needed, found a number.'],
    [{ ...EVENT, ClientRequestToken: 'abc' }, 'ClientRequestToken: 32 to 64 characters were needed, found 3.'],
  ])('in words that say what was needed instead: %o', (input, words) => {
    const { message, remedy } = refusal(input);
    expect(message).toContain(`The rotation event is not one of Secrets Manager's: ${words}`);
    expect(remedy).toContain('aws secretsmanager rotate-secret');
  });

  it('without quoting what was found', () => {
    const error = refusal({ ...EVENT, Step: 'found-Step', RotationToken: ROTATION_TOKEN });
    const said = JSON.stringify(error) + error.message + error.remedy + error.stack;
    expect(said).not.toContain('found-Step');
    expect(said).not.toContain(ROTATION_TOKEN);
    expect(refusal({ ...EVENT, RotationToken: ROTATION_TOKEN.repeat(10) }).message).not.toContain(ROTATION_TOKEN);
  });
});
