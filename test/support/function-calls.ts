import type { RequestRecord } from '../../scripts/lab/requests.ts';

/** What a function may ask of the secret that it rotates. The template's roles are tested to allow just this. */
export const ON_THE_ROTATED_SECRET = [
  'DescribeSecret',
  'GetSecretValue',
  'ListSecretVersionIds',
  'PutSecretValue',
  'UpdateSecretVersionStage',
];

/** What it may ask of any other secret, which is a superuser secret. */
export const ON_A_SUPERUSER_SECRET = ['DescribeSecret', 'GetSecretValue'];

/**
 * The calls that functions made and that their roles would not allow.
 *
 * @param rotated ARNs of the secrets that the functions are attached to.
 */
export function callsBeyondTheRole(requests: readonly RequestRecord[], rotated: readonly string[]): string[] {
  return requests
    .filter(({ userAgent }) => userAgent?.includes('exec-env/AWS_Lambda'))
    .filter(({ operation, secretId = '' }) => {
      const allowed = rotated.includes(secretId) ? ON_THE_ROTATED_SECRET : ON_A_SUPERUSER_SECRET;
      return !allowed.includes(operation);
    })
    .map(({ operation }) => operation);
}
