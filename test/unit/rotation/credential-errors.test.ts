/** What an operator reads when a credential is why a rotation fails: which one, where, and what to type. */
import { describe, expect, it } from 'vitest';
import { RotationError } from '../../../shared/errors.ts';
import {
  labelMoved,
  noWorkingPassword,
  passwordNotAccepted,
  passwordNotPutBack,
  passwordPutBack,
  pendingMismatch,
  superuserSecretMissing,
  twinNotLinked,
} from '../../../shared/rotation/credential-errors.ts';
import type { Credential, TwinLink } from '../../../shared/rotation/ports.ts';
import { credentialOf, needWords } from '../../support/fake-rotation.ts';
import { LINKED } from '../../support/fake-server.ts';

const OF_REDSHIFT = { engine: 'redshift', dbname: 'dev' };
const of = (source: Credential['source'], members = {}) => credentialOf(source, 'v1', members);
const cause = (message: string, reason?: string) =>
  new RotationError('TLS_FAILED', message, {
    remedy: 'Look at it.',
    username: 'app',
    ...(reason === undefined ? {} : { reason }),
  });

describe('a pending version that is another one', () => {
  it.each([
    [undefined, /db:5432\.$/],
    [true, /; AWSCURRENT logs in\.$/],
    [false, /; AWSCURRENT does not log in now\.$/],
  ])('tells whether AWSCURRENT logs in, where that was tried: %s', (works, message) => {
    expect(pendingMismatch(of('pending'), 'another', works).message).toMatch(message);
  });
});

describe('a password that is refused', () => {
  it('is named by its version, user and server', () => {
    const error = passwordNotAccepted(of('previous'), 'Type \\password {role}.');
    expect(error.message).toBe('The server at db:5432 must accept the previous password of app, and it refused it.');
    expect(error.remedy).toBe('Type \\password "app".');
  });

  it.each([
    ['current', 'AWSCURRENT'],
    ['pending', 'AWSPENDING'],
    ['superuser', 'superuser'],
  ] as const)('is mended by the SQL that Amazon Redshift has, where it is the %s one of that', (source, name) => {
    const { remedy } = passwordNotAccepted(of(source, OF_REDSHIFT), 'Type \\password {role}.');
    expect(remedy).toContain(`the password that ${name} holds: ALTER USER "app" PASSWORD`);
    expect(remedy).toContain('pg_user_info');
    expect(remedy).not.toContain('\\password');
  });
});

describe('no password that works', () => {
  const named = (...tried: Credential[]) => noWorkingPassword(of('current'), tried, false).message;

  it('names what was tried, and nothing else', () => {
    expect(named(of('current'))).toMatch(/ for it: AWSCURRENT\.$/);
    expect(named(of('previous'), of('pending'))).toMatch(/ for it: AWSPENDING, AWSPREVIOUS\.$/);
    expect(named(of('unlabelled'), of('unlabelled'))).toMatch(/ for it: 2 without a label\.$/);
  });

  it('has a remedy in SQL, and in IAM where versions could not be listed', () => {
    const remedy = (denied: boolean) => noWorkingPassword(of('current'), [of('current')], denied).remedy;
    expect(remedy(false)).toMatch(/\\password "app".*VALID UNTIL 'infinity'.*then rotate again\.$/);
    expect(remedy(true)).toMatch(
      /then rotate again\. Not every version .* allow secretsmanager:ListSecretVersionIds and GetSecretValue in the role/,
    );
    expect(noWorkingPassword(of('current', OF_REDSHIFT), [], false).remedy).toContain('pg_user_info');
  });
});

describe('a password that was put back, or could not be', () => {
  it.each([
    ['accepted', 'current', /the former one was put back, AWSCURRENT logs in again\.$/],
    ['refused', 'pending', /the former one was put back, but the server refuses AWSPENDING\.$/],
    ['unknown', 'previous', /whether AWSPREVIOUS logs in could not be seen\.$/],
    ['accepted', 'unlabelled', /the version without a label that had logged in logs in again\.$/],
  ] as const)('is told by what the server said afterwards: %s', (works, source, message) => {
    const error = passwordPutBack(cause('It ended. It is over.'), of(source), works);
    expect(error.message).toMatch(
      /^The new password had to be one that applications can use, and it was not \(TLS_FAILED: /,
    );
    // Each sentence ends once.
    expect(error.message).toContain('(TLS_FAILED: It ended. It is over);');
    expect(error.message).toMatch(message);
  });

  it('is told with why not, and with what to type to end it', () => {
    const error = passwordNotPutBack(cause('It is over.'), of('current'), 'No. Never.');
    expect(error.message).toMatch(
      /^The new password had to be one that applications .*; that of AWSCURRENT could not be put back \(No\. Never\)\.$/,
    );
    expect(error.remedy).toMatch(
      /^The database has the password of AWSPENDING: .*in psql: \\password "app"\)\. As to the cause: Look at it\.$/,
    );
    const onRedshift = passwordNotPutBack(cause('It is over.'), of('current', OF_REDSHIFT), 'No.').remedy;
    expect(onRedshift).toMatch(/\(ALTER USER "app" PASSWORD …\)\. As to the cause: /);
    expect(onRedshift).not.toContain('\\password');
  });

  it('keeps the reason of its cause, or else its code', () => {
    for (const build of [
      (error: RotationError) => passwordPutBack(error, of('current'), 'accepted'),
      (error: RotationError) => passwordNotPutBack(error, of('current'), 'no'),
    ]) {
      expect(build(cause('It is over.', 'ECONNRESET')).facts).toMatchObject({
        reason: 'ECONNRESET',
        cause: 'TLS_FAILED',
      });
      expect(build(cause('It is over.')).facts).toMatchObject({ reason: 'TLS_FAILED', cause: 'TLS_FAILED' });
    }
  });
});

describe('two roles that are not known to be twins', () => {
  const told = (link: Partial<TwinLink>) => twinNotLinked('app', 'app_clone', { ...LINKED, ...link });
  const SET = `ALTER ROLE "app_clone" SET role = 'app'; Otherwise rename one of the two.`;
  const GRANT = 'GRANT "app" TO "app_clone"; ';
  const GRANT_SET = 'GRANT "app" TO "app_clone" WITH SET TRUE; ';

  it.each<[Partial<TwinLink>, string, string]>([
    [{ membership: 'none', setToBase: true }, 'it is set to act as it and is no member of it', GRANT],
    [{ membership: 'none', setToBase: false }, 'it is no member of it', GRANT],
    [{ membership: 'own' }, '"app" itself made it a member', `REVOKE "app" FROM "app_clone"; ${GRANT}`],
    [{ maySet: false }, 'it is a member without SET and logs in with no password of the secret', GRANT_SET],
    [{}, 'it neither acts as it by a setting nor logs in with a password of the secret', ''],
  ])('are told by how they are linked: %o', (link, found, statements) => {
    const error = told(link);
    expect(error.message).toBe(`The role "app_clone" must be known to be the twin of "app", and ${found}.`);
    expect(error.remedy).toBe(`If it is the twin, as an administrator: ${statements}${SET}`);
    expect(told({ ...link, ownsObjects: true }).remedy).toContain('administrator: first hand over what it owns (docs/');
  });

  it('are told with who may act as the one that is to be vouched for', () => {
    expect(told({ membership: 'none', members: ['mallory', 'a "b"'] }).remedy).toBe(
      `If it is the twin, and its members "mallory", "a ""b""" may act as "app", as an administrator: ${GRANT}${SET}`,
    );
  });

  it('are never a superuser', () => {
    const error = told({ superuser: true });
    expect(error.message).toBe('A twin that is no superuser was needed, and "app_clone" is one.');
    expect(error.remedy).toContain('ALTER ROLE "app_clone" NOSUPERUSER;');
  });
});

describe('no superuser secret', () => {
  it.each([
    [[], 'no "masterarn"'],
    [['Host'], 'no "masterarn"'],
    [['Host', 'MasterArn'], '"MasterArn" instead of "masterarn" (keys are case-sensitive)'],
  ])('is told by the key that is there instead: %o', (misspelt, found) => {
    const error = superuserSecretMissing(misspelt);
    expect(error.message).toBe(`The secret must name its superuser secret, and it has ${found}.`);
    expect(error.remedy).toMatch(/"masterarn" .*single-user function/);
  });
});

it('a label that was moved is no damage', () => {
  needWords(labelMoved());
  expect(labelMoved().remedy).toMatch(/^Nothing needs repair/);
});
