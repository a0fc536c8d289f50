import { RDSClient } from '@aws-sdk/client-rds';
import { describe, expect, it } from 'vitest';
import { rdsServers } from '../../../shared/aws/rds-servers.ts';
import { Deadline } from '../../../shared/deadline.ts';
import { refusal } from '../../support/fake-rotation.ts';

const ARN = 'arn:aws:rds:us-east-1:123456789012:db:orders';

/** RDS that answers all calls by an error, or never. */
function failing(error: unknown, deadline = new Deadline(20_000)) {
  const client = new RDSClient({ region: 'us-east-1' });
  const answer = () => (error === undefined ? new Promise<never>(() => {}) : Promise.reject(error));
  client.middlewareStack.add(() => answer, { step: 'initialize', priority: 'high' });
  return rdsServers(() => client, deadline);
}

const answered = (name: string, httpStatusCode: number) =>
  Object.assign(new Error('said by RDS'), { name, $metadata: { httpStatusCode } });

describe('an RDS API that tells nothing', () => {
  it.each<[string, unknown, RegExp]>([
    ['Throttling', answered('Throttling', 400), /DescribeDBInstances was needed, but the service throttled the call/],
    ['RequestLimitExceeded', answered('RequestLimitExceeded', 503), /throttled/],
    ['InternalFailure', answered('InternalFailure', 500), /answered with an error/],
    ['ServiceUnavailable', answered('ServiceUnavailable', 503), /answered with an error/],
    ['Error', Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), /could not be reached/],
    ['TimeoutError', Object.assign(new Error('x'), { name: 'TimeoutError' }), /could not be reached/],
  ])('passes by itself, and nothing is to be edited: %s', async (reason, error, message) => {
    const rds = failing(error);
    for (const asked of [rds.serverOf(ARN), rds.isReplica('a.example.com', 'b.example.com')])
      expect(await refusal(asked)).toMatchObject({
        code: 'RDS_UNAVAILABLE',
        message: expect.stringMatching(message),
        remedy: expect.stringMatching(/^Nothing needs repair/),
        facts: { reason },
      });
  });

  it('is given up before the invocation has to end, and told as silent', async () => {
    expect(await refusal(failing(undefined, new Deadline(50)).serverOf(ARN))).toMatchObject({
      code: 'RDS_UNAVAILABLE',
      message: expect.stringContaining('no answer came before the invocation had to end'),
    });
  });

  it.each<[string, unknown]>([
    ['AccessDenied', answered('AccessDenied', 403)],
    ['CredentialsProviderError', Object.assign(new Error('x'), { name: 'CredentialsProviderError' })],
  ])('is told by its permission where it refuses: %s', async (reason, error) => {
    expect(await refusal(failing(error).serverOf(ARN))).toMatchObject({
      code: 'SUPERUSER_SECRET_UNUSABLE',
      remedy: expect.stringContaining('rds:DescribeDBInstances'),
      facts: { reason },
    });
  });

  it('knows no server where it says so', async () => {
    const rds = failing(answered('DBInstanceNotFound', 404));
    expect(await refusal(rds.serverOf(ARN))).toMatchObject({
      code: 'SUPERUSER_SECRET_UNUSABLE',
      facts: { key: 'masterarn' },
    });
  });
});
