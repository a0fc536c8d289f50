import { inspect } from 'node:util';
import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { secretLogin } from '../../../client/index.ts';
import { arrange } from '../../support/arrangement.ts';
import { labLogin, logInByHand } from '../../support/login-clients.ts';
import { sharedServer } from '../../support/postgres.ts';
import { RotationBench } from '../../support/rotation-bench.ts';
import { clientOf, freshName } from '../../support/secrets-lab-client.ts';

let bench: RotationBench;
beforeAll(async () => {
  bench = await RotationBench.open();
});
afterEach(() => bench.lab.faults.clear());
afterAll(() => bench[Symbol.asyncDispose]());

const notFunctions = ({ userAgent }: { userAgent: string | undefined }) => !userAgent?.includes('exec-env/AWS_Lambda');

describe('what AWSCURRENT is read as', () => {
  test.each([
    ['no JSON', 'hunter2-hunter2', 'SECRET_MALFORMED'],
    ['no password', JSON.stringify({ engine: 'postgres', host: 'db', username: 'app' }), 'SECRET_MALFORMED'],
    [
      'a host with a port',
      JSON.stringify({ engine: 'postgres', host: 'db:5432', username: 'app', password: 'hunter2' }),
      'SECRET_MALFORMED',
    ],
    ['bytes', new Uint8Array([1, 2, 3]), 'SECRET_MALFORMED'],
  ])('%s is an error that quotes nothing of it', async (_, value, code) => {
    const secret = await bench.store({ strategy: 'single-user' }, value);
    const error = await labLogin(bench.lab, secret.arn)
      .current()
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'LoginError', code, remedy: expect.any(String) });
    expect(inspect(error)).not.toContain('hunter2');
  });

  test.each([
    ['a secret that is not there', 'ResourceNotFoundException', 'SECRET_NOT_FOUND'],
    ['a policy that does not allow it', 'AccessDeniedException', 'SECRET_ACCESS_DENIED'],
    ['a key that may not be used', 'DecryptionFailure', 'SECRET_ACCESS_DENIED'],
    ['throttling', 'ThrottlingException', 'SECRET_UNREADABLE'],
  ])('%s is an error with a code, and the next one asks again', async (_, type, code) => {
    await using here = await arrange(bench, await sharedServer(), { strategy: 'single-user' });
    const login = labLogin(bench.lab, here.secret.arn);
    const fault = bench.lab.faults.fail({ type, secret: here.secret.arn, times: 10 });
    await expect(login.current()).rejects.toMatchObject({ code, reason: type });
    fault.remove();
    await logInByHand(login);
  });
});

test.each([
  ['AWSPENDING is not for it', ['AWSPENDING'], 'AccessDeniedException', false],
  ['AWSPENDING is of no value that can be read', ['AWSPENDING'], 'DecryptionFailure', false],
  ['AWSPREVIOUS is not for it', ['AWSPREVIOUS'], 'AccessDeniedException', true],
])('an application for which %s does without', async (_, stages, type, succeeds) => {
  await using here = await arrange(bench, await sharedServer(), { strategy: 'single-user' });
  const login = labLogin(bench.lab, here.secret.arn, { timeoutMillis: 300 });
  await logInByHand(login);
  const token = await here.secret.begin();
  await here.secret.stepsUntil('setSecret', token);
  bench.lab.faults.fail({
    type,
    secret: here.secret.arn,
    times: 100,
    when: (request) => notFunctions(request) && stages.includes(request.versionStage ?? ''),
  });
  const outcome = await logInByHand(login).then(
    () => true,
    (error: unknown) => error,
  );
  if (succeeds) expect(outcome).toBe(true);
  else expect(outcome).toMatchObject({ code: '28P01' });
  bench.lab.faults.clear();
  await here.secret.step('testSecret', token);
  await here.secret.step('finishSecret', token);
  // AWSCURRENT is enough from finishSecret on.
  await logInByHand(labLogin(bench.lab, here.secret.arn));
});

test('a pending version of which a reader does not know yet is waited for', async () => {
  await using here = await arrange(bench, await sharedServer(), { strategy: 'single-user' });
  const login = labLogin(bench.lab, here.secret.arn);
  await logInByHand(login);
  const token = await here.secret.begin();
  await here.secret.stepsUntil('setSecret', token);
  const hidden = bench.lab.faults.fail({
    type: 'ResourceNotFoundException',
    secret: here.secret.arn,
    times: 2,
    when: ({ versionStage }) => versionStage === 'AWSPENDING',
  });
  await logInByHand(login);
  expect(hidden.hits).toBe(2);
  expect((await login.current()).stage).toBe('AWSPENDING');
});

test('a login is one per secret and process: who asks again gets the same', async () => {
  const client = clientOf(bench.lab);
  const login = secretLogin({ secretId: 'prod/shop', client });
  expect(secretLogin({ secretId: 'prod/shop', client })).toBe(login);
  expect(secretLogin({ secretId: 'prod/other', client })).not.toBe(login);
  expect(secretLogin({ secretId: 'prod/shop', client: clientOf(bench.lab) })).not.toBe(login);
  expect(secretLogin({ secretId: 'prod/shop' })).toBe(secretLogin({ secretId: 'prod/shop' }));
  for (const options of [{ secretId: '' }, { secretId: 'x', timeoutMillis: 0 }]) {
    expect(() => secretLogin(options)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  }
});

test("the region is the ARN's, or the one that is given", async () => {
  const arn = `arn:aws:secretsmanager:eu-central-1:123456789012:secret:${freshName()}-AbCdEf`;
  process.env.AWS_ENDPOINT_URL_SECRETS_MANAGER = bench.lab.endpoint;
  process.env.AWS_ACCESS_KEY_ID = 'test';
  process.env.AWS_SECRET_ACCESS_KEY = 'test';
  try {
    const code = { code: 'SECRET_NOT_FOUND' };
    await expect(secretLogin({ secretId: arn }).current()).rejects.toMatchObject(code);
    await expect(secretLogin({ secretId: arn, region: 'sa-east-1' }).current()).rejects.toMatchObject(code);
  } finally {
    delete process.env.AWS_ENDPOINT_URL_SECRETS_MANAGER;
    delete process.env.AWS_ACCESS_KEY_ID;
    delete process.env.AWS_SECRET_ACCESS_KEY;
  }
  const regions = bench.lab.requests
    .all()
    .filter(({ secretId }) => secretId === arn)
    .map(({ region }) => region);
  expect(regions).toEqual(['eu-central-1', 'sa-east-1']);
});

test('who can write the secret but not read it gets no password by pointing it at a server of his own', async () => {
  const server = await sharedServer();
  await using here = await arrange(bench, server, { strategy: 'single-user' });
  const login = labLogin(bench.lab, here.secret.arn, { timeoutMillis: 300 });
  await logInByHand(login);
  await here.secret.rotate();
  // Another address of the same machine stands for the attacker's: it refuses what the attacker has put in.
  await here.secret.put({ host: 'localhost', password: 'put-in-by-an-attacker' });
  const edited = labLogin(bench.lab, here.secret.arn, { timeoutMillis: 300 });
  const { host, versionId } = await edited.current();
  expect(host).toBe('localhost');
  expect(await edited.refused(versionId)).toBe(false);
  const previous = await bench.client.send(
    new GetSecretValueCommand({ SecretId: here.secret.arn, VersionStage: 'AWSPREVIOUS' }),
  );
  expect(edited.latest?.versionId).not.toBe(previous.VersionId);
});
