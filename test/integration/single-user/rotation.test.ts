import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { arrange } from '../../support/arrangement.ts';
import { accepted, expectWorking } from '../../support/login-proof.ts';
import { countLogins, postgresVersions, sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';

let account: TestAccount;
beforeAll(async () => {
  account = await TestAccount.open();
});
afterAll(() => account[Symbol.asyncDispose]());

const arrangeOn = async (version: number) =>
  await arrange(account, await sharedServer(version), { strategy: 'single-user' });

describe.each(postgresVersions())('PostgreSQL %i', (version) => {
  test('rotations in a row each leave the new password working and the old ones refused', async () => {
    await using here = await arrangeOn(version);
    const { server, role, secret } = here;
    const passwords = [role.password];

    for (let round = 1; round <= 3; round++) {
      expect(await secret.rotate()).toMatchObject({ outcome: 'succeeded', attempts: 1 });
      passwords.push(await secret.password());
      const onlyTheNewest = passwords.map((_, index) => index === passwords.length - 1);
      expect(await accepted(server, role, passwords)).toEqual(onlyTheNewest);
      await expectWorking(here);
    }

    expect(new Set(passwords).size).toBe(4);
    expect(await secret.password({ label: 'AWSPREVIOUS' })).toBe(passwords[2]);
    expect(await secret.labels()).not.toHaveProperty('AWSPENDING');
  });

  test('a rotation costs eight API calls, three logins and no failed one', async () => {
    await using here = await arrangeOn(version);
    const { server, role, secret } = here;
    const logins = await countLogins(server);

    const { outcome, steps } = await secret.rotate();

    expect(outcome).toBe('succeeded');
    expect(secret.calls.map((call) => call.operation).sort()).toEqual(
      [
        ...['DescribeSecret', 'GetSecretValue', 'PutSecretValue'],
        ...['GetSecretValue', 'GetSecretValue', 'DescribeSecret'],
        ...['DescribeSecret', 'UpdateSecretVersionStage'],
      ].sort(),
    );
    expect(secret.calls.filter((call) => call.status !== 200)).toEqual([]);
    expect(await logins(role.name)).toEqual({ accepted: 3, failed: 0 });
    expect(steps.map(({ step, outcome, credential }) => [step, outcome, credential])).toEqual([
      ['createSecret', 'done', undefined],
      ['setSecret', 'done', 'current'],
      ['testSecret', 'done', 'pending'],
      ['finishSecret', 'done', undefined],
    ]);
  });

  test("an AWSPENDING that the service left on the current version is in nobody's way", async () => {
    await using here = await arrangeOn(version);
    const { secret } = here;
    const first = await secret.begin();
    await secret.stepsUntil('finishSecret', first);
    expect(await secret.labels()).toMatchObject({ AWSCURRENT: first, AWSPENDING: first });

    expect(await secret.rotate()).toMatchObject({ outcome: 'succeeded' });

    await expectWorking(here);
  });

  test('with RotateImmediately=false only the login is tested, and nothing changes', async () => {
    await using here = await arrangeOn(version);
    const { server, role, secret } = here;
    const before = await secret.labels();

    const result = await secret.rotate({ immediately: false });

    expect(result).toMatchObject({ outcome: 'succeeded', steps: [{ step: 'testSecret', outcome: 'done' }] });
    expect(await secret.labels()).toEqual(before);
    expect(await secret.password()).toBe(role.password);
    expect(await accepted(server, role, [role.password])).toEqual([true]);
  });
});

test('everything else in the secret stays as it is, byte for byte', async () => {
  const server = await sharedServer();
  await using here = await arrange(account, server, { strategy: 'single-user' });
  const { role, secret } = here;
  const text = `{ "engine" : "postgres",\n\t"id": 12345678901234567890, "host":"${server.host}", "port": "${server.port}",
    "username":"${role.name}", "password":"${role.password}", "ssl":"FALSE", "note":"\\u00fc\\/", "__proto__":{"password":"x"}, "f":1.50 }`;
  await secret.putText(text);

  expect(await secret.rotate()).toMatchObject({ outcome: 'succeeded' });

  expect(await secret.text()).toBe(text.replace(role.password, await secret.password()));
  await expectWorking(here);
});
