/** What the command says when it matters: who is locked out, and the one thing to do next. */
import { CancelRotateSecretCommand, UpdateSecretVersionStageCommand } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { type Arrangement, type ArrangementOptions, arrange } from '../../support/arrangement.ts';
import { attachTo, deploy } from '../../support/attached.ts';
import { expectWorking } from '../../support/login-proof.ts';
import { operator } from '../../support/operator.ts';
import { roleScope } from '../../support/postgres.ts';
import { twins } from '../../support/twins.ts';

const { account, command, server } = await operator();

async function attached(options: ArrangementOptions = {}): Promise<Arrangement> {
  const here = await arrange(account, server, { strategy: 'single-user' }, options);
  await attachTo(account, here.secret.arn, deploy(account, 'single-user'));
  return here;
}

interface Finding {
  readonly check: string;
  readonly state: string;
  readonly message: string;
  readonly remedy?: string;
}

async function doctor({ arn }: { readonly arn: string }, ...options: string[]) {
  const { exitCode, answer } = await command.json(['doctor', arn, ...options]);
  const findings: Finding[] = answer.findings;
  return { exitCode, answer, find: (check: string) => findings.find((finding) => finding.check === check) };
}

/** Not one that any secret holds: the server's log shows it. */
const setPassword = async (role: string, password: string) =>
  await server.query(`ALTER ROLE "${role}" PASSWORD '${password}'`);

/** Puts a role's password back as a restore does, which no log shows. */
async function snapshot(role: string) {
  const saved = `public."${role}_saved"`;
  await server.query(`CREATE TABLE ${saved} AS SELECT rolpassword FROM pg_authid WHERE rolname = '${role}'`);
  return async () => {
    await server.query(`UPDATE pg_authid SET rolpassword = s.rolpassword FROM ${saved} s WHERE rolname = '${role}'`);
    await server.query(`DROP TABLE ${saved}`);
  };
}

describe('rotation doctor begins with who is locked out, and ends with what to do', () => {
  it('where all is well', async () => {
    await using here = await attached();
    const { stdout } = await command.run(['doctor', here.secret.arn]);
    expect(stdout).toMatch(/^Are applications locked out now\? No: the server accepts /);
    expect(stdout).toMatch(/\nNothing is broken\.\n$/);
    expect((await doctor(here.secret)).answer).toMatchObject({ lockedOut: { answer: 'no' }, next: null });
  });

  it('after a restore from a snapshot: goes back to AWSPREVIOUS, and does not tell to set a password', async () => {
    await using here = await attached();
    const restore = await snapshot(here.role.name);
    expect((await command.run(['now', here.secret.arn])).exitCode).toBe(0);
    const { AWSPREVIOUS } = await here.secret.labels();
    await restore();
    const { stdout } = await command.run(['doctor', here.secret.arn]);
    expect(stdout).toMatch(/^Are applications locked out now\? Yes: .* accepts the one of AWSPREVIOUS\.\n/);
    expect(stdout).not.toContain('\\password');
    expect(stdout).toMatch(/\nNext: rotation doctor test-\S+ --fix\n$/);

    const fixed = await doctor(here.secret, '--fix', '--yes');
    expect(fixed.answer).toMatchObject({ fix: { name: 'restore-previous', done: true }, broken: 0 });
    expect(fixed.answer.next).toMatch(/^rotation now /);
    expect((await here.secret.labels()).AWSCURRENT).toBe(AWSPREVIOUS);
    await expectWorking(here);
    expect((await doctor(here.secret)).answer.lockedOut.answer).toBe('no');
  });

  it('after a wrong password was stored by hand', async () => {
    await using here = await attached();
    await here.secret.put({ password: 'a-typo-of-the-operator' });
    const { answer, find } = await doctor(here.secret);
    expect(answer).toMatchObject({ lockedOut: { answer: 'yes' }, fix: { name: 'restore-previous', done: false } });
    expect(find('login AWSCURRENT')?.remedy).toMatch(/--fix$/);
    await command.run(['doctor', here.secret.arn, '--fix', '--yes']);
    await expectWorking(here);
  });

  it('where the server knows no labelled password', async () => {
    await using here = await attached();
    await setPassword(here.role.name, 'something-else-entirely');
    const { answer } = await doctor(here.secret);
    expect(answer).toMatchObject({ lockedOut: { answer: 'yes' }, fix: null });
    expect(answer.next).toContain(`\\password "${here.role.name}"; then: rotation doctor`);
  });

  it('while a rotation may be under way that will be left behind: says until when it waits', async () => {
    await using here = await attached();
    await here.secret.begin();
    const { stdout } = await command.run(['doctor', here.secret.arn, '--fix', '--yes']);
    expect(stdout).toMatch(
      /\nNext: a rotation may be under way until \d\d:\d\d UTC; after that: rotation doctor \S+ --fix\n$/,
    );
  });

  it('where nobody has looked', async () => {
    await using here = await attached();
    expect((await doctor(here.secret, '--no-login')).answer.lockedOut).toMatchObject({ answer: 'unknown' });
  });

  it('finds AWSPENDING on a retired password, and takes it off at once', async () => {
    await using here = await attached();
    await command.run(['now', here.secret.arn]);
    const { AWSPREVIOUS = '' } = await here.secret.labels();
    const stage = { SecretId: here.secret.arn, VersionStage: 'AWSPENDING', MoveToVersionId: AWSPREVIOUS };
    await account.client.send(new UpdateSecretVersionStageCommand(stage));
    expect((await here.secret.labels()).AWSPENDING).toBe(AWSPREVIOUS);
    expect((await command.json(['now', here.secret.arn])).answer.failure).toMatchObject({ code: 'PENDING_RETIRED' });
    const { find, answer } = await doctor(here.secret);
    expect(find('labels')).toMatchObject({ state: 'broken', message: expect.stringContaining('is AWSPREVIOUS') });
    expect(answer.next).toMatch(/ --fix$/);
    await command.run(['doctor', here.secret.arn, '--fix', '--yes']);
    expect(await here.secret.labels()).toMatchObject({ AWSPREVIOUS });
    expect((await here.secret.labels()).AWSPENDING).toBeUndefined();
    expect((await command.run(['now', here.secret.arn])).exitCode).toBe(0);
    await expectWorking(here);
  });

  it('warns of a key that has no effect for its case', async () => {
    await using here = await attached({ members: { SSL: true, ssl: undefined } });
    expect((await doctor(here.secret, '--no-login')).find('value')).toMatchObject({
      state: 'warning',
      message: expect.stringContaining('"SSL" has no effect'),
    });
  });
});

describe('after a rotation that failed, now', () => {
  it('says that AWSCURRENT works only because it has just logged in', async () => {
    await using here = await attached();
    const allow = account.lab.faults.fail({ operation: 'PutSecretValue', secret: here.secret.arn, times: 99 });
    const { exitCode, stdout } = await command.run(['now', here.secret.arn]);
    allow.remove();
    expect(exitCode).toBe(3);
    expect(stdout).toContain("applications   AWSCURRENT's login still works: ");
    await account.client.send(new CancelRotateSecretCommand({ SecretId: here.secret.arn }));
    await account.lab.settled(here.secret.arn);
  });

  it('does not say so without a login', async () => {
    await using here = await attached();
    await setPassword(here.role.name, 'set-behind-our-back');
    const { stdout } = await command.run(['now', here.secret.arn, '--no-login']);
    expect(stdout).toMatch(
      /applications {3}AWSCURRENT's login was not tried from here \(--no-login\)\.\nNext: rotation doctor /,
    );
    expect(stdout).not.toMatch(/still (stands|works)/);
  });
});

it('no remedy reaches an operator with a placeholder in it', async () => {
  await using here = await attached();
  const malformed = await account.store(
    { strategy: 'single-user' },
    '{"engine":"postgres","host":"h:5432","username":"u"}',
  );
  const outputs = [
    await command.run(['doctor', malformed.arn]),
    await command.run(['attach', malformed.arn, '--function', deploy(account, 'single-user'), '--yes']),
    await command.run(['status', malformed.arn]),
  ];
  await here.secret.put({ masterarn: 'no arn at all {' });
  await attachTo(account, here.secret.arn, deploy(account, 'alternating-users'));
  outputs.push(await command.run(['doctor', here.secret.arn]));
  for (const { stdout, stderr } of outputs)
    expect(stdout + stderr).not.toMatch(/\{(secretArn|versionId|role|database)\}/);
  expect(outputs[0]?.stdout).toContain(malformed.arn);
});

it('status tells what the last rotation has told of a clone that owns objects', async () => {
  await using scope = roleScope(server);
  const pair = await twins(account, scope);
  // As AWS's function makes it, with a table of its own.
  const clone = await scope.createAppRole({ name: `${pair.base.name}_clone` });
  await server.query(`GRANT "${pair.base.name}" TO "${clone.name}"`);
  await pair.secret.put({ username: clone.name, password: clone.password });
  await attachTo(account, pair.secret.arn, deploy(account, 'alternating-users'));
  expect((await doctor(pair.secret)).find('twin')).toMatchObject({
    state: 'warning',
    message: expect.stringContaining('owns objects'),
    remedy: expect.stringContaining('adopt-clone'),
  });
  expect((await command.run(['now', pair.secret.arn])).exitCode).toBe(0);
  const { exitCode, stdout } = await command.run(['status', pair.secret.arn]);
  expect({ exitCode, stdout }).toEqual({
    exitCode: 0,
    stdout: expect.stringMatching(/notice: \S+_clone owns objects/),
  });
  const { answer } = await command.json(['status', pair.secret.arn]);
  expect(answer.secrets[0].notice).toContain('owns objects');
});
