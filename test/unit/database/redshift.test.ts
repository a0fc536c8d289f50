import { createHash } from 'node:crypto';
import { DatabaseError } from 'pg';
import { describe, expect, it } from 'vitest';
import { judge, statementsOf } from '../../../scripts/lab/redshift/statements.ts';
import { redshift } from '../../../shared/database/redshift.ts';
import { digestAnswer, REDSHIFT_WIRE } from '../../../shared/database/redshift-wire.ts';
import { noTwins } from '../../../shared/database/twin-sql.ts';
import { RotationError } from '../../../shared/errors.ts';
import { readConfig } from '../../../shared/lambda/config.ts';
import type { PasswordRequest } from '../../../shared/rotation/ports.ts';
import { Password } from '../../../shared/secret/password.ts';
import { credentialOf } from '../../support/fake-rotation.ts';
import { FakeSession, type Sent } from '../../support/fake-session.ts';

const hashed = (password: string) => `md5${createHash('md5').update(`${password}app`).digest('hex')}`;
const [OLD, NEW] = [hashed('old'), hashed('new')];
const MD5: PasswordRequest = { method: 'md5' };

function session(fails: (sent: Sent) => void = () => {}): FakeSession {
  const fake = new FakeSession();
  fake.rows = (sent) => {
    fails(sent);
    return [{ user: 'app' }];
  };
  return fake;
}

async function prepared(fake: FakeSession, request: PasswordRequest | undefined = MD5) {
  const role = await redshift.roles(fake, readConfig({}), noTwins).lockOwn();
  const change = await role.prepare(new Password('new'), { credential: credentialOf('current', 'v1'), request });
  fake.sent.length = 0;
  return { role, change };
}

const texts = (fake: FakeSession) => fake.sent.map(({ text }) => text);

describe('a change of the own password', () => {
  it('is sent as md5, and committed once the guard has been asked while it holds the row', async () => {
    const fake = session();
    const { change } = await prepared(fake);
    let before: string[] = [];
    const guard = async () => {
      before = texts(fake);
      return 'proceed' as const;
    };
    expect(await change.apply(guard)).toBe('changed');
    expect(before).toEqual([`ALTER USER "app" PASSWORD '${NEW}'`]);
    expect(texts(fake)).toEqual([...before, 'COMMIT']);
    expect(fake.secrets).toEqual(expect.arrayContaining(['old', OLD, 'new', NEW]));
  });

  it('is rolled back where it is not wanted any more, and where the guard throws', async () => {
    const fake = session();
    const { change } = await prepared(fake);
    expect(await change.apply(() => Promise.resolve('already-current'))).toBe('already-current');
    expect(texts(fake).at(-1)).toBe('ROLLBACK');
    await expect(
      change.apply(() => Promise.reject(new RotationError('VERSION_UNKNOWN', 'm', { remedy: 'r' }))),
    ).rejects.toThrow('m');
    expect(texts(fake).at(-1)).toBe('ROLLBACK');
    expect(texts(fake)).not.toContain('COMMIT');
  });

  it('is put back as md5, again where another change of users came between', async () => {
    let busy = 2;
    const fake = session(({ how }) => {
      if (how === 'begin' && busy-- > 0) throw new RotationError('ROLE_BUSY', 'busy', { remedy: 'r' });
    });
    const { change } = await prepared(fake);
    if (typeof change.wayBack !== 'function') throw new Error('a way back was needed');
    await change.wayBack(() => Promise.resolve(true));
    expect(texts(fake).slice(-2)).toEqual([`ALTER USER "app" PASSWORD '${OLD}'`, 'COMMIT']);
    await change.wayBack(() => Promise.resolve(false));
    expect(texts(fake).at(-1)).toBe('ROLLBACK');
  });

  it('says that sha256 is replaced, and holds nothing at its end', async () => {
    const { change, role } = await prepared(session(), { method: 'sha256-digest' });
    expect(change.notice).toMatch(/sha256.*md5/);
    expect((await prepared(session())).change.notice).toBeUndefined();
    expect(await role.release()).toBe(false);
  });
});

it('another user than the one that was to be logged in is refused', async () => {
  const fake = session();
  fake.rows = () => [{ user: 'other' }];
  await expect(redshift.roles(fake, readConfig({}), noTwins).examineOwn()).rejects.toMatchObject({
    code: 'DATABASE_ERROR',
  });
});

it('twin logins are refused', () => {
  expect(() => redshift.roles(session(), readConfig({}), noTwins).twins).toThrow(/Redshift/);
});

it('all that it sends, in the messages that a session makes of it, is what Redshift has', async () => {
  const fake = session();
  const roles = redshift.roles(fake, readConfig({}), noTwins);
  await roles.confirmUser();
  await roles.awaitOwn();
  const { change } = await prepared(fake);
  await change.apply(() => Promise.resolve('proceed'));
  const sent = [`${REDSHIFT_WIRE.pinned} SET LOCAL statement_timeout = 1000; ${texts(fake).join('; ')}; ROLLBACK`];
  expect(
    sent
      .flatMap(statementsOf)
      .map(judge)
      .filter(({ allowed }) => !allowed),
  ).toEqual([]);
});

describe('the digest', () => {
  const int32 = (number: number) => Buffer.from([0, 0, 0, number]);
  const [salt, nonce] = [Buffer.alloc(32, 7), Buffer.alloc(16, 9)];
  const request = Buffer.concat([int32(0), int32(32), salt, int32(16), nonce]);
  const password = new Password('Ünïcode-1');

  it('is that of AWS’s drivers', () => {
    const answer = digestAnswer(request, password) ?? Buffer.alloc(0);
    const theirs = answer.subarray(45);
    const inner = createHash('sha256').update('Ünïcode-1').update(salt).digest();
    const right = createHash('sha256').update(inner).update(nonce).update(theirs).digest();
    expect(answer.toString('latin1', 0, 1)).toBe('d');
    expect(answer.readInt32BE(1)).toBe(answer.length - 1);
    expect(answer.readInt32BE(5)).toBe(32);
    expect(answer.subarray(9, 41)).toEqual(right);
    expect(answer.readInt32BE(41)).toBe(theirs.length);
    expect(theirs).not.toEqual(digestAnswer(request, password)?.subarray(45));
  });

  it.each<[string, Buffer]>([
    ['another algorithm', Buffer.concat([int32(1), request.subarray(4)])],
    ['nothing', Buffer.alloc(0)],
    ['a salt that is longer than the message', request.subarray(0, 20)],
    ['no nonce', request.subarray(0, 40)],
    ['a negative length', Buffer.concat([int32(0), Buffer.from([255, 255, 255, 255])])],
  ])('has no answer to %s', (_, body) => {
    expect(digestAnswer(body, password)).toBeUndefined();
  });
});

describe('what Redshift answers', () => {
  const said = (code: string, message: string, routine?: string) =>
    Object.assign(new DatabaseError(message, message.length, 'error'), { code, routine });

  it.each<[string, Error, 'connecting' | 'working', string]>([
    [
      'a wrong password',
      said('28000', 'password authentication failed for user "app"', 'auth_failed'),
      'connecting',
      'WRONG_PASSWORD',
    ],
    [
      '28000 of another kind',
      said('28000', 'no pg_hba.conf entry', 'ClientAuthentication'),
      'connecting',
      'LOGIN_FORBIDDEN',
    ],
    ['error 1023', said('XX000', '1023 Serializable isolation violation on table - 1260'), 'working', 'ROLE_BUSY'],
    ['a serialization failure', said('40001', 'could not serialize'), 'working', 'ROLE_BUSY'],
    ['a tuple that another changed', said('XX000', 'tuple concurrently updated'), 'working', 'ROLE_BUSY'],
    ['no database', said('3D000', 'database "x" does not exist'), 'connecting', 'DATABASE_NOT_FOUND'],
    ['too many connections', said('53300', 'too many connections'), 'connecting', 'DATABASE_FULL'],
  ])('%s', (_, error, phase, code) => {
    const meaning = REDSHIFT_WIRE.meaningOf(error, phase, true);
    expect(meaning.code).toBe(code);
    expect(meaning.remedy).not.toMatch(/ALTER ROLE|pg_stat_activity|pg_hba|\\password/);
  });
});

it.each([
  'SELECT pg_advisory_lock(1)',
  'SELECT pg_try_advisory_lock(1)',
  'DO $$BEGIN END$$',
  'COPY t FROM STDIN',
  'ALTER ROLE SESSION_USER PASSWORD NULL',
  'ALTER ROLE app PASSWORD NULL',
  'SET LOCAL ROLE NONE',
  'SET SESSION AUTHORIZATION app',
  "SELECT set_config('search_path', '', true)",
  "SELECT current_setting('password_encryption')",
  'SELECT rolname FROM pg_roles',
  'SELECT 1 FROM pg_stat_activity',
  'SELECT session_user::text',
  "SELECT ARRAY['a']",
  'SELECT json_build_object()',
  'SET LOCAL lock_timeout = 1',
  'SET LOCAL search_path = pg_catalog, pg_temp',
  "ALTER USER app PASSWORD 'short'",
])('the stand-in refuses %s', (statement) => {
  expect(judge(statement).allowed).toBe(false);
});
