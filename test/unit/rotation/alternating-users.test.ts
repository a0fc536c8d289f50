import { describe, expect, it } from 'vitest';
import { alternatingUsers } from '../../../shared/rotation/alternating-users.ts';
import type { TwinLink, UserFacts } from '../../../shared/rotation/ports.ts';
import { ADMIN_ARN, ARN, FakeRotation, only, refusal, secretText, TOKEN } from '../../support/fake-rotation.ts';
import { FakeServer, failure, LINKED } from '../../support/fake-server.ts';

type Members = Readonly<Record<string, unknown>>;

const V0 = 'v0'.padEnd(36, '-');
const V2 = 'v2'.padEnd(36, '-');
const MEMBER: TwinLink = { ...LINKED, setToBase: false };

/** A rotation of a user of whom the catalog says this. */
function rotating(members: Members = {}, facts: Partial<UserFacts> = {}): FakeRotation {
  const rotation = new FakeRotation(alternatingUsers, members);
  const { username = 'app' } = members;
  rotation.server.role(String(username), 'old', facts);
  return rotation;
}

const asTwinOf = (namesake: string, asTwin: Partial<TwinLink> = {}): Partial<UserFacts> => ({
  actsAs: namesake,
  namesake,
  namesakeActsAs: namesake,
  asTwin: { ...LINKED, ...asTwin },
});

async function nextUser(rotation: FakeRotation): Promise<unknown> {
  await rotation.step('createSecret');
  return rotation.credential('AWSPENDING').secret.username;
}

describe('the next user', () => {
  it.each<[string, string, Partial<UserFacts>]>([
    ['app', 'app_clone', {}],
    ['app', 'app_clone', { twin: LINKED }],
    ['app_clone', 'app', asTwinOf('app')],
    ['svc_clone', 'svc_clone_clone', { namesake: 'svc', asTwin: { ...LINKED, membership: 'none', setToBase: false } }],
    ['svc_clone_clone', 'svc_clone', asTwinOf('svc_clone')],
  ])('of %s is %s', async (username, expected, facts) => {
    expect(await nextUser(rotating({ username }, facts))).toBe(expected);
  });

  it.each([
    'n'.repeat(57),
    `${'n'.repeat(55)}é`,
    `${'火'.repeat(19)}`,
  ])('may have 63 bytes: %s_clone', async (username) => {
    expect(Buffer.byteLength(username)).toBe(57);
    expect(await nextUser(rotating({ username }))).toBe(`${username}_clone`);
  });

  it.each([
    'n'.repeat(58),
    `${'n'.repeat(56)}é`,
    `${'火'.repeat(21)}`,
  ])('may not have more: %s_clone', async (username) => {
    const rotation = rotating({ username });
    expect(await refusal(rotation.step('createSecret'))).toMatchObject({
      code: 'TWIN_NAME_TOO_LONG',
      remedy: expect.stringContaining('at most 57 bytes'),
    });
    expect(rotation.secrets.textOf(TOKEN)).toBeUndefined();
  });

  it('is none for a superuser, nor for a password that is not accepted, and no other password is tried', async () => {
    const superuser = rotating({}, { superuser: true });
    expect(await refusal(superuser.step('createSecret'))).toMatchObject({ code: 'APPLICATION_USER_IS_SUPERUSER' });

    const refused = rotating();
    refused.server.role('app', 'previous');
    refused.secrets.put(V0, secretText({ password: 'previous' }), 'AWSPREVIOUS');
    expect(await refusal(refused.step('createSecret'))).toMatchObject({ code: 'PASSWORD_NOT_ACCEPTED' });
    expect(only(refused.server.events, 'login')).toEqual(['login current']);
  });

  it('is none for a refused password, which is not tried again to tell of a pending version that was edited', async () => {
    const rotation = rotating();
    await rotation.step('createSecret');
    rotation.edit(V2, { dbname: 'edited', password: 'refused' });
    expect(await refusal(rotation.anew().step('createSecret'))).toMatchObject({ code: 'PENDING_MISMATCH' });
    expect(only(rotation.server.events, 'refused current')).toHaveLength(1);
  });

  it('is none on Amazon Redshift, which has no roles', async () => {
    const rotation = rotating({ engine: 'redshift', dbname: 'dev' });
    expect(await refusal(rotation.step('createSecret'))).toMatchObject({
      code: 'ENGINE_UNSUPPORTED',
      message: expect.stringContaining('Amazon Redshift'),
      remedy: expect.stringContaining('single-user function'),
      facts: { key: 'engine', host: 'db', username: 'app' },
    });
    expect(rotation.server.events).toEqual([]);
  });

  it('has its name quoted in a remedy that a person will paste', async () => {
    const name = 'we"ird; --';
    const rotation = rotating({ username: `${name}_clone` }, asTwinOf(name, { membership: 'none' }));
    const { remedy } = await refusal(rotation.step('createSecret'));
    expect(remedy).toContain('GRANT "we""ird; --" TO "we""ird; --_clone"');
  });

  it('is found by a login that setSecret need not repeat', async () => {
    const rotation = rotating();
    await rotation.run('setSecret');
    expect(only(rotation.server.events, 'login current')).toHaveLength(1);
  });
});

describe('two roles are twins only by proof', () => {
  const links: readonly Partial<TwinLink>[] = (['granted', 'own', 'none'] as const).flatMap((membership) =>
    [true, false].flatMap((setToBase) => [true, false].map((maySet) => ({ membership, maySet, setToBase }))),
  );

  it.each(links)('of which the setting is one: %o', async (link) => {
    for (const username of ['app', 'app_clone']) {
      const facts = username === 'app' ? { twin: { ...LINKED, ...link } } : asTwinOf('app', link);
      const rotation = rotating({ username }, facts);
      // Not linked in any way, x_clone is a user of its own.
      const ofItsOwn = username === 'app_clone' && link.membership === 'none' && link.setToBase === false;
      if (ofItsOwn || (link.membership === 'granted' && link.maySet && link.setToBase)) {
        expect(await nextUser(rotation)).toBe(ofItsOwn ? 'app_clone_clone' : username === 'app' ? 'app_clone' : 'app');
        continue;
      }
      expect(await refusal(rotation.step('createSecret'))).toMatchObject({
        code: 'TWIN_NOT_LINKED',
        facts: { username: 'app_clone', host: 'db', port: 5432 },
      });
      expect(rotation.secrets.textOf(TOKEN)).toBeUndefined();
      expect(only(rotation.server.events, 'login superuser')).toEqual([]);
    }
  });

  it.each(['AWSPREVIOUS', 'without a label'])('of which a login as the other is one: %s', async (label) => {
    await provenBy(label, MEMBER);
  });

  it.each([
    'AWSPREVIOUS',
    'without a label',
  ])('of which it is the only one where SET is withheld: %s', async (label) => {
    await provenBy(label, { ...LINKED, maySet: false });
  });

  async function provenBy(label: string, link: TwinLink): Promise<void> {
    const rotation = rotating({}, { twin: link });
    rotation.server.role('app_clone', 'theirs', asTwinOf('app', link));
    const labels = label === 'AWSPREVIOUS' ? [label] : [];
    rotation.secrets.put(V0, secretText({ username: 'app_clone', password: 'theirs' }), ...labels);
    expect(await nextUser(rotation)).toBe('app_clone');
    // It tells as well how that password is stored, and is not made again.
    expect(rotation.logins.get(ARN, V0)).toMatchObject({ scram: true });
    await rotation.step('setSecret');
    expect(rotation.server.passwordOf('app_clone')).toBe('new-1');
    // Nor is it believed any more, once its password was replaced.
    expect(rotation.logins.get(ARN, V0)).toBeUndefined();
    expect(rotation.server.events.filter((event) => /^login (previous|unlabelled)/.test(event))).toHaveLength(1);
  }

  it('of which a login is waited for where trouble meets it, and no refused one is repeated', async () => {
    const rotation = rotating({}, { twin: MEMBER });
    rotation.server.role('app_clone', 'theirs', asTwinOf('app', MEMBER));
    const other = (password: string) => secretText({ username: 'app_clone', password });
    rotation.secrets.put(V0, other('wrong'), 'AWSPREVIOUS').put('v-1'.padEnd(36, '-'), other('theirs'));
    let trouble = 2;
    rotation.server.meets = ({ credential: { source } }) =>
      source === 'unlabelled' && trouble-- > 0 ? { fails: failure('DATABASE_FULL') } : undefined;
    expect(await rotation.step('createSecret')).toMatchObject({ outcome: 'done', waited: { for: ['DATABASE_FULL'] } });
    expect(only(rotation.server.events, 'refused')).toEqual(['refused previous']);
  });

  it('of which no refused login is repeated where the change is planned anew', async () => {
    const rotation = rotating({}, { twin: MEMBER });
    rotation.server.role('app_clone', 'theirs', asTwinOf('app', MEMBER));
    const other = (password: string) => secretText({ username: 'app_clone', password });
    rotation.secrets.put(V0, other('wrong'), 'AWSPREVIOUS').put('v-1'.padEnd(36, '-'), other('theirs'));
    await rotation.step('createSecret');
    rotation.anew().server.events.length = 0;
    let trouble = 2;
    rotation.server.meets = ({ credential: { source } }) =>
      source === 'unlabelled' && trouble-- > 0 ? { fails: failure('DATABASE_CONNECTION_LOST') } : undefined;
    expect(await rotation.step('setSecret')).toMatchObject({ outcome: 'done' });
    expect(only(rotation.server.events, 'refused')).toEqual(['refused previous', 'refused pending']);
  });

  it('of which a login that trouble meets under the lock is waited for without the lock', async () => {
    const rotation = rotating({}, { twin: MEMBER });
    rotation.server.role('app_clone', 'theirs', asTwinOf('app', MEMBER));
    rotation.secrets.put(V0, secretText({ username: 'app_clone', password: 'theirs' }), 'AWSPREVIOUS');
    await rotation.step('createSecret');
    const pausesUnderLock: boolean[] = [];
    rotation.meanwhile = () => void pausesUnderLock.push(rotation.server.isLocked('app'));
    let trouble = 2;
    rotation.server.meets = ({ credential: { source } }) =>
      source === 'previous' && trouble-- > 0 ? { fails: failure('DATABASE_CONNECTION_LOST') } : undefined;
    expect(await rotation.anew().step('setSecret')).toMatchObject({
      outcome: 'done',
      waited: { for: ['DATABASE_CONNECTION_LOST'] },
    });
    expect(pausesUnderLock).toEqual([false, false]);
  });

  it('of which a login is one though it gets no session, since a twin with NOLOGIN is mended', async () => {
    const rotation = rotating({}, { twin: MEMBER });
    rotation.server.role('app_clone', 'theirs');
    rotation.secrets.put(V0, secretText({ username: 'app_clone', password: 'theirs' }), 'AWSPREVIOUS');
    rotation.server.meets = ({ credential: { source } }) =>
      source === 'previous' ? { withoutSession: failure('LOGIN_FORBIDDEN') } : undefined;
    expect(await nextUser(rotation)).toBe('app_clone');
  });

  it('of which a login that needs no password is none', async () => {
    const rotation = rotating({}, { twin: MEMBER });
    rotation.server.role('app_clone', 'theirs').request = undefined;
    rotation.secrets.put(V0, secretText({ username: 'app_clone', password: 'anything' }), 'AWSPREVIOUS');
    expect(await refusal(rotation.step('createSecret'))).toMatchObject({ code: 'TWIN_NOT_LINKED' });
  });

  it('of which a login is none with a password for another host or another user', async () => {
    for (const members of [{ username: 'app_clone', host: 'elsewhere' }, { username: 'other' }]) {
      const rotation = rotating({}, { twin: MEMBER });
      rotation.server.role('app_clone', 'theirs').role('other', 'theirs');
      rotation.secrets.put(V0, secretText({ password: 'theirs', ...members }), 'AWSPREVIOUS');
      expect(await refusal(rotation.step('createSecret'))).toMatchObject({ code: 'TWIN_NOT_LINKED' });
      expect(only(rotation.server.events, 'login')).toEqual(['login current']);
    }
  });

  it('and setSecret asks for the proof again, in the transaction', async () => {
    const rotation = rotating();
    await rotation.step('createSecret');
    // Meanwhile somebody has made a role of that name, and a member of it.
    rotation.server.role('app_clone', 'theirs', asTwinOf('app', { setToBase: false }));
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'TWIN_NOT_LINKED' });
    expect(rotation.server.passwordOf('app_clone')).toBe('theirs');
  });

  it('a superuser is never one', async () => {
    const rotation = rotating({}, { twin: { ...LINKED, superuser: true } });
    expect(await refusal(rotation.step('createSecret'))).toMatchObject({ code: 'TWIN_IS_SUPERUSER' });
  });

  it('a login that was taken for proof of a twin is none of the pending version', async () => {
    const rotation = rotating({}, { twin: MEMBER });
    rotation.server.role('app_clone', 'pending', { ...asTwinOf('app', MEMBER), actsAs: 'app_clone' }).missing = 3;
    const text = secretText({ masterarn: ADMIN_ARN, username: 'app_clone', password: 'pending' });
    rotation.secrets.put(TOKEN, text);
    await rotation.step('createSecret');
    expect(only(rotation.server.events, 'login')).toContain('login pending');
    expect(await refusal(rotation.step('testSecret'))).toMatchObject({ code: 'TWIN_DIFFERS' });
    expect(await refusal(rotation.step('finishSecret'))).toMatchObject({ code: 'TWIN_DIFFERS' });
  });
});

describe('"masterarn"', () => {
  it.each<[string, unknown, string]>([
    ['is missing', undefined, 'SUPERUSER_SECRET_MISSING'],
    ['is null', null, 'SUPERUSER_SECRET_MISSING'],
    ['is white space', '  ', 'SUPERUSER_SECRET_MISSING'],
    ['has a space in it', 'arn:aws secret', 'SECRET_MALFORMED'],
    ['is too long', 'a'.repeat(2_049), 'SECRET_MALFORMED'],
    ['has a line feed in it', `${ADMIN_ARN}\n${ADMIN_ARN}`, 'SECRET_MALFORMED'],
    ['is a number', 12, 'SECRET_MALFORMED'],
  ])('is refused where it %s, before anybody is asked anything or a value is stored', async (_, masterarn, code) => {
    const rotation = rotating({ masterarn });
    expect(await refusal(rotation.step('createSecret'))).toMatchObject({ code, facts: { key: 'masterarn' } });
    expect(rotation.server.events).toEqual([]);
    expect(rotation.secrets.textOf(TOKEN)).toBeUndefined();
  });

  it('is pointed out where its key is written in another case', async () => {
    const rotation = rotating({ masterarn: undefined, MasterArn: ADMIN_ARN });
    const { message } = await refusal(rotation.step('createSecret'));
    expect(message).toContain('"MasterArn" instead of "masterarn"');
  });

  it('may have white space around it', async () => {
    const rotation = rotating({ masterarn: ` ${ADMIN_ARN}\n` });
    await rotation.run();
    expect(rotation.currentIsAccepted).toBe(true);
  });
});

describe('setSecret', () => {
  it("sets the twin's password through the superuser, and proves it under the lock", async () => {
    const rotation = rotating();
    await rotation.run('setSecret');
    expect(rotation.server.events).toEqual([
      ...['login current', 'describe app'],
      ...['login superuser', 'lock app', 'plan app_clone', 'hold', 'change'],
      ...['login pending', 'describe app_clone', 'release'],
    ]);
    expect(rotation.server.passwordOf('app')).toBe('old');
  });

  it('locks by the base role in either turn, and leaves the current password alone', async () => {
    const rotation = rotating({ username: 'app_clone' }, asTwinOf('app'));
    await rotation.run();
    expect(only(rotation.server.events, 'lock')).toEqual(['lock app']);
    expect(rotation.server.passwordOf('app_clone')).toBe('old');
    expect(rotation.passwordIn('AWSCURRENT')).toBe(rotation.server.passwordOf('app'));
  });

  it.each<[string, Members]>([
    ['another user', { username: 'other' }],
    ['the same user', { username: 'app' }],
    ['a twin of the twin', { username: 'app_clone_clone' }],
    ['another host', { username: 'app_clone', host: 'elsewhere' }],
    ['another port', { username: 'app_clone', port: 5433 }],
  ])('asks no administrator anything where the pending version is for %s', async (_, members) => {
    const rotation = rotating();
    rotation.secrets.put(TOKEN, secretText({ masterarn: ADMIN_ARN, ...members }));
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({
      code: 'PENDING_MISMATCH',
      message: expect.stringMatching(
        /for the twin of app on the current version's host and port, .*; AWSCURRENT logs in\.$/,
      ),
    });
    expect(only(rotation.server.events, 'login')).toEqual(['login current']);
  });

  it('does not say that AWSCURRENT logs in where that can not be seen', async () => {
    const rotation = rotating();
    rotation.secrets.put(TOKEN, secretText({ masterarn: ADMIN_ARN, username: 'other' }));
    rotation.server.refuseAll(failure('TLS_FAILED'));
    const { message } = await refusal(rotation.step('setSecret'));
    expect(message).toMatch(/AWSCURRENT does not log in now\.$/);
  });

  it('never logs in as the superuser where the current password is not accepted', async () => {
    const rotation = rotating();
    await rotation.step('createSecret');
    rotation.server.role('app', 'by hand');
    expect(await refusal(rotation.anew().step('setSecret'))).toMatchObject({
      code: 'PASSWORD_NOT_ACCEPTED',
      facts: { credential: 'current' },
    });
    expect(only(rotation.server.events, 'login superuser')).toEqual([]);
  });

  it('tells of the refused current password, whatever is wrong with the superuser secret', async () => {
    const rotation = rotating();
    await rotation.step('createSecret');
    rotation.server.role('app', 'by hand');
    rotation.superuser = 'no JSON';
    expect(await refusal(rotation.anew().step('setSecret'))).toMatchObject({ code: 'PASSWORD_NOT_ACCEPTED' });
  });

  it('does not wait for a superuser secret in mid-rotation whose new version can not be used', async () => {
    const rotation = rotating();
    await rotation.step('createSecret');
    rotation.superuser = secretText({ username: 'admin', password: 'refused' });
    rotation.superuserIsRotating = true;
    rotation.server.before = (event) => {
      if (event === 'refused superuser' || event === 'login superuser') rotation.superuser = 'no JSON';
    };
    const { left } = rotation.deadline;
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'SECRET_MALFORMED' });
    expect(rotation.deadline.left).toBe(left);
  });

  it('logs in with no version of the superuser secret twice, though it begins anew', async () => {
    const rotation = rotating();
    await rotation.step('createSecret');
    const [refused, next] = ['refused', 'admin'].map((password) => secretText({ username: 'admin', password }));
    Object.assign(rotation, { superuser: refused, superuserIsRotating: true });
    let away = 3;
    rotation.secrets.before = (call) => {
      if (call === 'DescribeSecret' && away-- > 0) throw failure('SECRETS_MANAGER_UNREACHABLE');
    };
    rotation.meanwhile = () => {
      // A read may be a moment behind.
      const isNew = rotation.superuserVersion === 1 || away < 1;
      Object.assign(
        rotation,
        isNew ? { superuser: next, superuserVersion: 2 } : { superuser: refused, superuserVersion: 1 },
      );
    };
    expect(await rotation.step('setSecret')).toMatchObject({ outcome: 'done' });
    expect(only(rotation.server.events, 'refused')).toEqual(['refused superuser']);
  });

  it('logs in with a superuser secret whose version has the id of a refused one of this secret', async () => {
    const rotation = rotating({}, { twin: MEMBER });
    rotation.server.role('app_clone', 'theirs', asTwinOf('app', MEMBER));
    const other = (password: string) => secretText({ username: 'app_clone', password });
    rotation.secrets.put(`admin-${rotation.superuserVersion}`, other('wrong'), 'AWSPREVIOUS').put(V0, other('theirs'));
    await rotation.step('createSecret');
    let isAway = true;
    rotation.secrets.before = (call) => {
      // It begins anew after the twin was proven, and so the login was refused.
      if (call !== 'DescribeSecret' || !isAway) return;
      isAway = false;
      throw failure('SECRETS_MANAGER_UNREACHABLE');
    };
    expect(await rotation.anew().step('setSecret')).toMatchObject({ outcome: 'done' });
    expect(only(rotation.server.events, 'refused previous')).not.toEqual([]);
  });

  it.each(['app', 'app_clone'])('never logs in with a superuser secret that is for %s', async (username) => {
    const rotation = rotating();
    rotation.superuser = secretText({ username, password: 'admin' });
    await rotation.step('createSecret');
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({
      code: 'SUPERUSER_IS_APPLICATION_USER',
      remedy: expect.stringMatching(
        /^aws secretsmanager update-secret-version-stage .*an administrator's secret into "masterarn"/,
      ),
    });
    expect(only(rotation.server.events, 'login superuser')).toEqual([]);
  });

  it("tells the superuser's wrong password from the application's, and uses a corrected one next time", async () => {
    const rotation = rotating();
    rotation.superuser = secretText({ username: 'admin', password: 'wrong' });
    await rotation.step('createSecret');
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({
      code: 'PASSWORD_NOT_ACCEPTED',
      facts: { credential: 'superuser', username: 'admin' },
    });
    rotation.superuser = secretText({ username: 'admin', password: 'admin' });
    await rotation.run();
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it('asks the guard in the transaction', async () => {
    const rotation = rotating();
    rotation.server.role('app_clone', 'theirs', asTwinOf('app'));
    await rotation.step('createSecret');
    rotation.server.before = (event) => {
      if (event === 'hold') rotation.secrets.label('AWSPENDING');
    };
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'VERSION_UNKNOWN' });
    expect(rotation.server.passwordOf('app_clone')).toBe('theirs');
  });

  it('tries busy roles again from the login on', async () => {
    const rotation = rotating();
    await rotation.step('createSecret');
    let busy = 2;
    rotation.server.before = (event) => {
      if (event === 'hold' && busy-- > 0) throw failure('ROLE_BUSY');
    };
    await rotation.step('setSecret');
    expect(only(rotation.server.events, 'login superuser')).toHaveLength(3);
  });

  it('says that a clone goes on acting as itself, as it owns objects', async () => {
    const rotation = rotating();
    rotation.server.actsAsItself = true;
    await rotation.step('createSecret');
    expect(await rotation.step('setSecret')).toMatchObject({
      outcome: 'done',
      notice: expect.stringMatching(/^app_clone owns objects.*adopting-aws-clones/),
    });
  });

  it.each([
    'LOGIN_FORBIDDEN',
    'DATABASE_NOT_FOUND',
  ] as const)('fails where the twin is refused by %s after its password was taken, and has it not believed', async (code) => {
    const rotation = rotating();
    await rotation.step('createSecret');
    rotation.server.meets = ({ credential: { source } }) =>
      source === 'pending' ? { withoutSession: failure(code) } : undefined;
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code });
    expect(await refusal(rotation.step('testSecret'))).toMatchObject({ code });
    expect(rotation.currentIsAccepted).toBe(true);
  });

  it("has the administrator's session look at a twin that gets none for want of room", async () => {
    for (const missing of [0, 3]) {
      const rotation = rotating();
      const actsAs = missing === 0 ? 'app' : 'app_clone';
      rotation.server.role('app_clone', '', { ...asTwinOf('app'), actsAs }).missing = missing;
      await rotation.step('createSecret');
      rotation.server.meets = ({ credential: { source } }) =>
        source === 'pending' ? { withoutSession: failure('ROLE_CONNECTION_LIMIT') } : undefined;
      const result = await rotation.step('setSecret').catch((error: unknown) => error);
      expect(result).toMatchObject(missing === 0 ? { outcome: 'done' } : { code: 'TWIN_DIFFERS' });
    }
  });

  it('leaves the proof to testSecret where the secret is for a replica', async () => {
    const rotation = rotating({ host: 'replica' });
    const replica = new FakeServer('replica').role('app', 'old', {});
    rotation.servers.push(replica);
    await rotation.run('setSecret');
    expect(only(rotation.server.events, 'login')).toEqual(['login superuser']);
    replica.role('app_clone', 'new-1', asTwinOf('app'));
    await rotation.run();
    expect(only(replica.events, 'login pending')).not.toEqual([]);
    expect(rotation.currentIsAccepted).toBe(true);
  });
});

describe('what testSecret looks at', () => {
  const test = async (facts: Partial<UserFacts>, missing = 0) => {
    const rotation = rotating();
    rotation.secrets.put(TOKEN, secretText({ masterarn: ADMIN_ARN, username: 'app_clone', password: 'set' }));
    rotation.server.role('app_clone', 'set', facts).missing = missing;
    return await rotation.step('testSecret');
  };

  it.each<[string, Partial<UserFacts>]>([
    ['a base role', {}],
    ['a twin that acts as its base role', asTwinOf('app')],
    [
      'a twin that acts as what its base role acts as',
      { ...asTwinOf('app'), actsAs: 'owner', namesakeActsAs: 'owner' },
    ],
    ["AWS's clone, with all privileges", { ...asTwinOf('app', MEMBER), actsAs: 'app_clone' }],
    [
      'a user of its own that only has such a name',
      { ...asTwinOf('app', { membership: 'none', setToBase: false }), actsAs: 'app_clone' },
    ],
  ])('is content with %s', async (_, facts) => {
    expect(await test(facts)).toMatchObject({ outcome: 'done' });
  });

  it.each<[string, Partial<UserFacts>, number, string, RegExp]>([
    [
      "AWS's clone without a privilege",
      { ...asTwinOf('app', MEMBER), actsAs: 'app_clone' },
      1,
      'TWIN_DIFFERS',
      /1 privileges/,
    ],
    [
      'a twin that should act as its base role and does not',
      { ...asTwinOf('app'), actsAs: 'app_clone' },
      0,
      'TWIN_DIFFERS',
      /acts as app_clone/,
    ],
    [
      'a twin that the database has act as a third role',
      { ...asTwinOf('app', MEMBER), actsAs: 'third' },
      0,
      'TWIN_DIFFERS',
      /acts as third/,
    ],
    [
      'a base role that the database has act as a third role',
      { ...asTwinOf('app'), namesakeActsAs: 'third' },
      0,
      'TWIN_DIFFERS',
      /acts as app/,
    ],
    [
      'a twin that set itself to act as the base role',
      asTwinOf('app', { membership: 'none' }),
      0,
      'TWIN_NOT_LINKED',
      /no member/,
    ],
    [
      'a twin of its own making',
      asTwinOf('app', { membership: 'own' }),
      0,
      'TWIN_NOT_LINKED',
      /itself made it a member/,
    ],
  ])('refuses %s', async (_, facts, missing, code, found) => {
    expect(await refusal(test(facts, missing))).toMatchObject({ code, message: expect.stringMatching(found) });
  });

  it.each([
    '14.14',
    '15.9 (Debian 15.9-1)',
    '16.5',
    '17.1',
  ])('names the minor version that ignores the setting: %s', async (serverVersion) => {
    const refused = await refusal(test({ ...asTwinOf('app'), actsAs: 'app_clone', serverVersion }));
    expect(refused.code).toBe('TWIN_DIFFERS');
    expect(refused.message).toContain(`PostgreSQL ${serverVersion.split(' ')[0]} ignores`);
    expect(refused.remedy).toContain('ALTERNATING_SET_ROLE=false');
  });

  it.each(['17.10', '17', '114.14', '15.9.1', 'devel', ''])('names no other version: %s', async (serverVersion) => {
    const refused = await refusal(test({ ...asTwinOf('app'), actsAs: 'app_clone', serverVersion }));
    expect(refused).toMatchObject({ code: 'TWIN_DIFFERS', remedy: expect.stringContaining('\\drds') });
    expect(refused.message).not.toContain('ignores');
  });
});

describe('a password that the server refuses in testSecret', () => {
  /** The server hears of the new password when it has refused the first login with it. */
  const arriving = (members: Members, superuserHost: string) => {
    const rotation = rotating(members);
    const { masterarn = ADMIN_ARN } = members;
    rotation.superuser = secretText({ host: superuserHost, username: 'admin', password: 'admin' });
    rotation.secrets.put(TOKEN, secretText({ masterarn, username: 'app_clone', password: 'on its way' }));
    rotation.server.role('app_clone', 'earlier', asTwinOf('app'));
    rotation.server.before = () => {
      if (rotation.server.events.includes('refused pending')) rotation.server.role('app_clone', 'on its way');
    };
    return rotation;
  };

  it('is waited for where the secret is for a replica', async () => {
    const rotation = arriving({}, 'primary');
    expect(await rotation.step('testSecret')).toMatchObject({ outcome: 'done' });
    expect(only(rotation.server.events, 'login')).toHaveLength(2);
  });

  it.each([
    'RDS_UNAVAILABLE',
    'SECRETS_MANAGER_UNREACHABLE',
  ] as const)('is not asked for by another login before it is known whether it is a replica: %s', async (code) => {
    const rotation = arriving({}, 'primary');
    const logins: number[] = [];
    rotation.superuserFailures.push(failure(code), failure(code));
    rotation.meanwhile = () => void logins.push(only(rotation.server.events, 'login').length);
    expect(await rotation.step('testSecret')).toMatchObject({
      outcome: 'done',
      waited: { for: [code, 'PASSWORD_NOT_ACCEPTED'] },
    });
    expect(logins).toEqual([1, 1, 1]);
  });

  it.each<[string, Members, string]>([
    ['the secret is for the very server', {}, 'db'],
    ['nobody knows of another', { masterarn: null }, 'primary'],
  ])('is not waited for where %s', async (_, members, host) => {
    const rotation = arriving(members, host);
    expect(await refusal(rotation.step('testSecret'))).toMatchObject({ code: 'PASSWORD_NOT_ACCEPTED' });
    expect(only(rotation.server.events, 'login')).toHaveLength(1);
  });
});

describe('the superuser secret', () => {
  it('whose server RDS does not tell is asked for again', async () => {
    const rotation = rotating();
    await rotation.step('createSecret');
    rotation.superuserFailures.push(failure('RDS_UNAVAILABLE'), failure('RDS_UNAVAILABLE'));
    expect(await rotation.step('setSecret')).toMatchObject({ outcome: 'done', waited: { for: ['RDS_UNAVAILABLE'] } });
    expect(only(rotation.server.events, 'login superuser')).toHaveLength(1);
  });

  it('is read together with the versions where this instance knows which one it was', async () => {
    const rotation = rotating();
    await rotation.step('createSecret');
    expect(rotation.readAhead).toEqual([]);
    await rotation.step('setSecret');
    expect(rotation.readAhead).toEqual([ADMIN_ARN]);
    await rotation.anew().step('setSecret');
    expect(rotation.readAhead).toEqual([ADMIN_ARN]);
  });
});
