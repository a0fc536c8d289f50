import { SecretsManagerServiceException } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { isNamed, serviceError } from '../../../shared/aws/service-error.ts';
import { decide } from '../../../shared/rotation/version-stage.ts';

function answered(name: string, message = 'said by the service', httpStatusCode = 400) {
  return new SecretsManagerServiceException({ name, message, $fault: 'client', $metadata: { httpStatusCode } });
}

const systemError = (code: string) => Object.assign(new Error(`connect ${code}`), { code });
const named = (name: string) => Object.assign(new Error('said by the SDK'), { name });

describe('an error of Secrets Manager', () => {
  it.each<[string, string, unknown]>([
    ['ResourceNotFoundException', 'SECRET_NOT_FOUND', answered('ResourceNotFoundException')],
    ['AccessDeniedException', 'SECRET_ACCESS_DENIED', answered('AccessDeniedException')],
    ['DecryptionFailure', 'SECRET_KEY_UNUSABLE', answered('DecryptionFailure')],
    ['EncryptionFailure', 'SECRET_KEY_UNUSABLE', answered('EncryptionFailure')],
    ['InvalidRequestException', 'SECRET_IN_WRONG_STATE', answered('InvalidRequestException')],
    ['LimitExceededException', 'SECRET_LIMIT_EXCEEDED', answered('LimitExceededException')],
    ['ThrottlingException', 'SECRETS_MANAGER_THROTTLED', answered('ThrottlingException')],
    ['Throttling', 'SECRETS_MANAGER_THROTTLED', answered('Throttling')],
    ['TooManyRequestsException', 'SECRETS_MANAGER_THROTTLED', answered('TooManyRequestsException')],
    ['RequestLimitExceeded', 'SECRETS_MANAGER_THROTTLED', answered('RequestLimitExceeded')],
    ['SlowDown', 'SECRETS_MANAGER_THROTTLED', answered('SlowDown', 'HTTP 429', 429)],
    ['InternalServiceError', 'SECRETS_MANAGER_FAILED', answered('InternalServiceError', 'oops', 500)],
    ['an error that nobody knows', 'SECRETS_MANAGER_FAILED', answered('NewerException')],
    ['a name that every object has', 'SECRETS_MANAGER_FAILED', answered('toString')],
    ['a refused connection', 'SECRETS_MANAGER_UNREACHABLE', systemError('ECONNREFUSED')],
    ['an unknown host', 'SECRETS_MANAGER_UNREACHABLE', systemError('ENOTFOUND')],
    ['a broken connection', 'SECRETS_MANAGER_UNREACHABLE', systemError('ECONNRESET')],
    ['a certificate', 'SECRETS_MANAGER_UNREACHABLE', systemError('UNABLE_TO_VERIFY_LEAF_SIGNATURE')],
    ['an expired certificate', 'SECRETS_MANAGER_UNREACHABLE', systemError('CERT_HAS_EXPIRED')],
    ['a certificate for another host', 'SECRETS_MANAGER_UNREACHABLE', systemError('ERR_TLS_CERT_ALTNAME_INVALID')],
    ["the SDK's connection time-out", 'SECRETS_MANAGER_UNREACHABLE', named('TimeoutError')],
    ['an aborted call', 'SECRETS_MANAGER_TIMEOUT', named('AbortError')],
    ['missing credentials', 'SECRETS_MANAGER_FAILED', named('CredentialsProviderError')],
    ['something that is no error', 'SECRETS_MANAGER_FAILED', 'thrown'],
    ['nothing', 'SECRETS_MANAGER_FAILED', undefined],
  ])('such as %s means %s', (_, code, error) => {
    const translated = serviceError('PutSecretValue', error, false);
    expect(translated.code).toBe(code);
    expect(translated.message).toContain('PutSecretValue');
    expect(translated.remedy).not.toBe('');
  });

  it.each([
    [named('AbortError')],
    [systemError('ECONNRESET')],
    [answered('ThrottlingException')],
  ])('that comes after the deadline means that no answer came in time: %s', (error) => {
    expect(serviceError('GetSecretValue', error, true).code).toBe('SECRETS_MANAGER_TIMEOUT');
  });

  it('keeps its name, for who wants to look it up', () => {
    expect(serviceError('GetSecretValue', answered('NewerException'), false).facts.reason).toBe('NewerException');
  });

  it.each([
    'AccessDeniedException',
    'InvalidRequestException',
    'DecryptionFailure',
    'EncryptionFailure',
  ])('is quoted where the service words it itself and it helps: %s', (name) => {
    const error = serviceError('GetSecretValue', answered(name, 'Access to KMS is not allowed'), false);
    expect(error.message).toContain('(Access to KMS is not allowed)');
  });

  it.each([
    'InvalidParameterException',
    'ValidationException',
    'ResourceExistsException',
    'NewerException',
  ])('is not quoted where it might say what was sent: %s', (name) => {
    const error = serviceError('PutSecretValue', answered(name, 'value hunter2 is wrong'), false);
    expect(`${error.message} ${JSON.stringify(error)} ${error.stack}`).not.toContain('hunter2');
    expect(error.cause).toBeUndefined();
  });
});

describe("a version that is read by id and label and hasn't got the label", () => {
  const answer = 'You provided a VersionStage that is not associated to the provided VersionId.';

  it("means what the guard of every step would say, with the guard's remedy", () => {
    const error = serviceError('GetSecretValue', answered('InvalidRequestException', answer), false);
    expect(error).toMatchObject({ code: 'VERSION_NOT_PENDING', facts: { reason: 'InvalidRequestException' } });
    const guard = () => decide({ rotationEnabled: true, stages: { token: ['AWSPREVIOUS'] } }, 'token');
    expect(guard).toThrow(expect.objectContaining({ code: 'VERSION_NOT_PENDING', remedy: error.remedy }));
  });

  it.each([
    ["You can't perform this operation on the secret because it was marked for deletion.", 'InvalidRequestException'],
    ["A previous rotation isn't complete. That rotation will be reattempted.", 'InvalidRequestException'],
    [answer, 'InvalidParameterException'],
  ])('is not what other errors mean: %s', (message, name) => {
    expect(serviceError('GetSecretValue', answered(name, message), false).code).not.toBe('VERSION_NOT_PENDING');
  });
});

describe('an error is told by its name', () => {
  it.each<[unknown, boolean]>([
    [answered('ResourceExistsException'), true],
    [{ name: 'ResourceExistsException' }, true],
    [answered('ResourceNotFoundException'), false],
    [new Error('ResourceExistsException'), false],
    ['ResourceExistsException', false],
    [undefined, false],
  ])('%s: %s', (error, expected) => {
    expect(isNamed(error, ['ResourceExistsException'])).toBe(expected);
  });
});
