import { describe, expect, it } from 'vitest';
import { RotationError, type RotationErrorCode } from '../../../shared/errors.ts';
import { alternatingUsers } from '../../../shared/rotation/alternating-users.ts';
import { passwordNotPutBack, passwordPutBack, pendingMismatch } from '../../../shared/rotation/credential-errors.ts';
import { editsCurrent, givingUpFirst, IF_IN_FORCE, TAKE_PENDING_OFF } from '../../../shared/rotation/remedies.ts';
import { singleUser } from '../../../shared/rotation/single-user.ts';
import { ARN, credentialOf, FakeRotation, refusal, secretText, TOKEN } from '../../support/fake-rotation.ts';

const FIRST =
  /^aws secretsmanager update-secret-version-stage --secret-id \S+ --version-stage AWSPENDING --remove-from-version-id \S+/;
const error = (code: RotationErrorCode, facts: object = {}) =>
  new RotationError(code, 'Something was needed, and it was not found.', {
    remedy: 'Edit "host" in the secret.',
    ...facts,
  });

describe('once the pending version has a value', () => {
  it('a remedy that edits AWSCURRENT begins with taking AWSPENDING off', () => {
    const { remedy } = givingUpFirst(error('TLS_NOT_SUPPORTED', { secretArn: ARN, versionId: TOKEN }));
    expect(remedy).toMatch(FIRST);
    expect(remedy).toContain(`--secret-id ${ARN}`);
    expect(remedy).toContain(TOKEN);
    expect(remedy).toMatch(/then: Edit "host" in the secret\. Then rotate again\.$/);
  });

  it('is said once, and all else of the error stays', () => {
    const before = error('DATABASE_NOT_FOUND', { host: 'db', reason: '3D000' });
    const after = givingUpFirst(givingUpFirst(before));
    expect(after.remedy.split('update-secret-version-stage')).toHaveLength(2);
    expect(after).toMatchObject({ code: before.code, message: before.message, stack: before.stack });
    expect(after.facts).toMatchObject({ host: 'db', reason: '3D000' });
  });

  it('says where the database may have that value already, and only there', () => {
    expect(givingUpFirst(error('TLS_NOT_SUPPORTED')).remedy).toMatch(
      /\(as the pending version has a value already\), then/,
    );
    expect(givingUpFirst(error('TLS_NOT_SUPPORTED'), true).remedy).toContain(`has a value already; ${IF_IN_FORCE})`);
    const mismatch = (works?: boolean) => pendingMismatch(credentialOf('pending', TOKEN), 'another', works).remedy;
    expect(mismatch(false)).toContain(`(${IF_IN_FORCE}); then rotate again`);
    for (const works of [undefined, true])
      expect(mismatch(works)).toMatch(/--remove-from-version-id \S+; then rotate again/);
  });

  it.each([
    [singleUser, true],
    [alternatingUsers, false],
  ])('of which a single user has one password only: $name', async (strategy, mayBeInForce) => {
    const rotation = new FakeRotation(strategy);
    await rotation.run('setSecret');
    rotation.anew().server.meets = () => ({ fails: error('TLS_NOT_SUPPORTED') });
    const { remedy } = await refusal(rotation.step('testSecret'));
    expect(remedy).toMatch(FIRST);
    expect(remedy.includes(IF_IN_FORCE)).toBe(mayBeInForce);
  });

  it('the superuser secret may be edited all the same, but not the key that names it', () => {
    expect(editsCurrent(error('DATABASE_NOT_FOUND', { credential: 'superuser' }))).toBe(false);
    expect(editsCurrent(error('SECRET_MALFORMED', { credential: 'superuser', key: 'port' }))).toBe(false);
    expect(editsCurrent(error('SUPERUSER_ON_OTHER_SERVER', { credential: 'superuser', key: 'masterarn' }))).toBe(true);
    expect(editsCurrent(error('SUPERUSER_IS_APPLICATION_USER', { credential: 'superuser', key: 'masterarn' }))).toBe(
      true,
    );
  });
});

describe('an edit of AWSCURRENT', () => {
  it.each<[RotationErrorCode, object]>([
    ['SECRET_HAS_NO_VALUE', { credential: 'current' }],
    ['SECRET_MALFORMED', { credential: 'current' }],
    ['SECRET_MALFORMED', { key: 'masterarn' }],
    ['ROLE_MISSING', {}],
    ['SUPERUSER_SECRET_MISSING', { key: 'masterarn' }],
    ['SUPERUSER_SECRET_UNUSABLE', { credential: 'superuser', key: 'masterarn' }],
  ])('is what mends %s of %o', (code, facts) => {
    expect(editsCurrent(error(code, facts))).toBe(true);
  });

  it.each<[RotationErrorCode, object]>([
    // createSecret comes first, whatever AWSCURRENT holds.
    ['SECRET_HAS_NO_VALUE', { credential: 'pending' }],
    ['SUPERUSER_SECRET_UNUSABLE', { credential: 'superuser' }],
    ['ROLE_BUSY', {}],
  ])('mends nothing of %s of %o', (code, facts) => {
    expect(editsCurrent(error(code, facts))).toBe(false);
  });
});

/** Errors of the server, of TLS and of the network whose remedies edit the secret. */
const CAUSES: readonly RotationErrorCode[] = [
  'DATABASE_HOST_NOT_FOUND',
  'DATABASE_UNREACHABLE',
  'DATABASE_NOT_FOUND',
  'DATABASE_READ_ONLY',
  'DATABASE_BEHIND_PROXY',
  'TLS_NOT_SUPPORTED',
  'TLS_REQUIRED',
  'TLS_WRONG_HOST',
  'LOGIN_FORBIDDEN',
  'ROLE_NAME_ENCODING',
];

describe.each(CAUSES)('%s', (code) => {
  it('takes AWSPENDING off first in every step after createSecret, and in createSecret where a value is there', async () => {
    for (const [step, stored] of [
      ['createSecret', false],
      ['createSecret', true],
      ['setSecret', true],
      ['testSecret', true],
      ['finishSecret', true],
    ] as const) {
      const rotation = new FakeRotation();
      if (stored) rotation.secrets.put(TOKEN, secretText({ password: 'stored' }));
      rotation.server.refuseAll(error(code));
      const { remedy } = await refusal(rotation.step(step));
      const mayBeInForce = ['testSecret', 'finishSecret'].includes(step);
      if (stored) expect(remedy).toMatch(FIRST);
      else expect(remedy).toBe('Edit "host" in the secret.');
      expect(remedy.includes('; where the database has its password already')).toBe(mayBeInForce);
    }
  });

  it('as the cause of a password that was put back, or could not be, does so too', () => {
    const former = credentialOf('current', 'v1');
    expect(passwordPutBack(error(code), former, 'accepted').remedy).toMatch(FIRST);
    const [, ofCause] = passwordNotPutBack(error(code), former, 'x').remedy?.split('As to the cause: ') ?? [];
    expect(ofCause).toMatch(FIRST);
  });
});

describe('a pending password that the server refuses by policy', () => {
  const refusing = (rotation: FakeRotation) => {
    rotation.server.before = (event) => {
      if (event === 'change') throw error('PASSWORD_REFUSED_BY_POLICY', { remedy: 'Match PASSWORD_LENGTH.' });
    };
  };

  it('is given up first, as every further attempt would send it again', async () => {
    const rotation = new FakeRotation();
    await rotation.step('createSecret');
    refusing(rotation);
    const { remedy } = await refusal(rotation.step('setSecret'));
    expect(remedy).toMatch(FIRST);
    expect(remedy).toMatch(/then: Match PASSWORD_LENGTH\. Then rotate again\.$/);
  });
});

it('the command names the secret and the version', () => {
  expect(TAKE_PENDING_OFF).toMatch(FIRST);
  expect(TAKE_PENDING_OFF).toContain('{secretArn}');
  expect(TAKE_PENDING_OFF).toContain('{versionId}');
});
