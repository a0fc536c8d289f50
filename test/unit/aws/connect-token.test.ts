import { SecretsManagerClient, type SecretsManagerClientConfig } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { type Connect, faultOfToken } from '../../../scripts/lab/services/connect-token.ts';
import { connectToken } from '../../../shared/aws/connect-token.ts';

const HOST = 'orders.c1a2b3.eu-central-1.rds.amazonaws.com';
const NOW = Date.UTC(2026, 10, 26, 4, 30, 0);
const MINUTE = 60_000;
const KEY = { secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const TARGET = { host: HOST, port: 5432, username: 'rotator' };

const configOf = (credentials: SecretsManagerClientConfig['credentials']) =>
  new SecretsManagerClient({ region: 'us-east-1', ...(credentials === undefined ? {} : { credentials }) }).config;
const key = (more: object = {}) => configOf({ accessKeyId: 'AKIAIOSFODNN7EXAMPLE', ...KEY, ...more });

const made = async (target: Partial<typeof TARGET> = {}, config = key()) =>
  (await connectToken(config, { ...TARGET, ...target }, NOW)).reveal();
const fault = (token: string, expected: Partial<Connect> = {}) =>
  faultOfToken(token, {
    host: HOST,
    port: 5432,
    user: 'rotator',
    region: 'eu-central-1',
    keyOf: (id) => (id === 'AKIAIOSFODNN7EXAMPLE' ? KEY : undefined),
    now: NOW,
    ...expected,
  });

describe("the lab's judgement of tokens", () => {
  // botocore's own test of generate_db_auth_token (tests/unit/test_signers.py).
  const VECTOR =
    'prod-instance.us-east-1.rds.amazonaws.com:3306/?Action=connect&DBUser=someusername&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20161107T173933Z&X-Amz-SignedHeaders=host&X-Amz-Expires=900&X-Amz-Credential=akid%2F20161107%2Fus-east-1%2Frds-db%2Faws4_request&X-Amz-Signature=d1138cdbc0ca63eec012ec0fc6c2267e03642168f5884a7795320d4c18374c61';
  const expected: Partial<Connect> = {
    host: 'prod-instance.us-east-1.rds.amazonaws.com',
    port: 3306,
    user: 'someusername',
    region: 'us-east-1',
    keyOf: () => ({ secretAccessKey: 'skid' }),
    now: Date.UTC(2016, 10, 7, 17, 39, 33),
  };

  it("takes AWS's own", () => {
    expect(fault(VECTOR, expected)).toBeUndefined();
    expect(fault(VECTOR.replace('d1138c', 'd1138d'), expected)).toBe('signature');
  });
});

describe('a token', () => {
  it('is one that RDS takes', async () => {
    expect(fault(await made())).toBeUndefined();
  });

  it.each(['Rotator+ of (all)*', "d'artagnan!", 'größe/&=?%20'])('is so for the user %s', async (username) => {
    expect(fault(await made({ username }), { user: username })).toBeUndefined();
  });

  it('is for the endpoint as RDS spells it, however the secret does', async () => {
    expect(fault(await made({ host: `${HOST.toUpperCase()}.` }))).toBeUndefined();
  });

  it.each<[string, Partial<Connect>]>([
    ['other endpoint', { host: HOST.replace('orders', 'others') }],
    ['other endpoint', { port: 5433 }],
    ['other user', { user: 'postgres' }],
    ['other region or service', { region: 'eu-west-1' }],
    ['age', { now: NOW + 16 * MINUTE }],
    ['age', { now: NOW - 6 * MINUTE }],
    ['unknown key', { keyOf: () => undefined }],
    ['signature', { keyOf: () => ({ secretAccessKey: 'another' }) }],
    ['session token', { keyOf: () => ({ ...KEY, sessionToken: 'needed' }) }],
  ])('is refused elsewhere: %s', async (what, expected) => {
    expect(fault(await made(), expected)).toBe(what);
  });

  it('is good for 15 minutes', async () => {
    expect(fault(await made(), { now: NOW + 15 * MINUTE })).toBeUndefined();
  });

  it.each([
    ['other user', 'DBUser=rotator', 'DBUser=postgres'],
    ['signature', 'X-Amz-Expires=900', 'X-Amz-Expires=901'],
    ['signature', '20261126T043000Z', '20261126T043100Z'],
    ['no token', 'Action=connect', 'Action=other'],
  ])('is refused where it was tampered with: %s', async (what, from, to) => {
    const token = await made();
    expect(token).toContain(from);
    expect(fault(token.replace(from, to))).toBe(what);
  });

  it('carries a session token, of which it may be 1.5 KB long', async () => {
    const sessionToken = 'IQoJb3JpZ2luX2VjEPf///+/'.repeat(40);
    const token = await made({}, key({ sessionToken }));
    expect(fault(token, { keyOf: () => ({ ...KEY, sessionToken }) })).toBeUndefined();
    expect(token.length).toBeGreaterThan(1_400);
  });

  it('shows itself to nobody', async () => {
    const token = await connectToken(key(), TARGET, NOW);
    expect(`${token} ${JSON.stringify({ token })}`).not.toContain('X-Amz');
  });
});

describe('credentials', () => {
  it('that have expired make no token', async () => {
    const expired = key({ expiration: new Date(NOW) });
    await expect(connectToken(expired, TARGET, NOW)).rejects.toMatchObject({
      code: 'IAM_CREDENTIALS_UNUSABLE',
      facts: { reason: 'Expired' },
    });
  });

  it('that are not there make none', async () => {
    const none = configOf(() => Promise.reject(Object.assign(new Error('secret words'), { name: 'NoCredentials' })));
    const failure = connectToken(none, TARGET, NOW);
    await expect(failure).rejects.toMatchObject({
      code: 'IAM_CREDENTIALS_UNUSABLE',
      facts: { reason: 'NoCredentials' },
    });
    await expect(failure).rejects.not.toThrow(/secret words/);
  });
});
