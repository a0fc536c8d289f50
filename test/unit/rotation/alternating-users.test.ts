import { describe, expect, it } from 'vitest';
import { alternatingUsers } from '../../../shared/rotation/alternating-users.ts';
import type { CredentialLabel } from '../../../shared/rotation/errors.ts';
import type {
  Credential,
  RoleSession,
  SetSecretContext,
  TwinChange,
  UserFacts,
} from '../../../shared/rotation/strategy.ts';
import { parseDatabaseSecret } from '../../../shared/secrets/database-secret.ts';

type Members = Readonly<Record<string, unknown>>;

function credential(label: CredentialLabel, members: Members = {}): Credential {
  const value = { engine: 'postgres', host: 'db', username: 'app', password: 'x', masterarn: 'arn', ...members };
  return { label, versionId: label, secret: parseDatabaseSecret(JSON.stringify(value)) };
}

const ALONE: UserFacts = {
  superuser: false,
  scram: true,
  actsAs: 'app',
  namesake: null,
  namesakeActsAs: null,
  memberOfNamesake: false,
  setToNamesake: false,
};
const A_TWIN: UserFacts = {
  superuser: false,
  scram: true,
  actsAs: 'app',
  namesake: 'app',
  namesakeActsAs: 'app',
  memberOfNamesake: true,
  setToNamesake: true,
};

interface World {
  readonly current?: Members;
  readonly pending?: Members;
  readonly superuser?: Members;
  readonly user?: UserFacts;
  /** Labels of credentials that the server refuses. */
  readonly refused?: readonly CredentialLabel[];
  readonly proven?: boolean;
  readonly missing?: number;
}

/** Everything that the strategy may ask for, and what it asked, in order. */
function world(given: World = {}) {
  const asked: string[] = [];
  const changes: Omit<TwinChange, 'password'>[] = [];
  const current = credential('current', given.current);
  const pending = credential('pending', { username: 'app_clone', ...given.pending });
  const session: RoleSession = {
    confirmUser: async () => {},
    describeUser: async () => given.user ?? ALONE,
    setOwnPassword: async () => expect.unreachable('Alternating users never set their own password.'),
    applyTwin: async ({ password: _, ...change }) => void changes.push(change),
    missingPrivileges: async () => given.missing ?? 0,
  };
  const proven = new Map<Credential, { scram: boolean }>(given.proven === true ? [[current, { scram: true }]] : []);
  const context: SetSecretContext = {
    current,
    pending,
    proven: {
      get: (credential) => proven.get(credential),
      add: (credential, { scram }) => void proven.set(credential, { scram }),
    },
    async withLogin(login, work) {
      asked.push(`login ${login.label}`);
      if (given.refused?.includes(login.label)) return { accepted: false };
      return { accepted: true, value: await work(session) };
    },
    superusers: {
      async read() {
        asked.push('read superuser secret');
        return credential('superuser', { username: 'postgres', ...given.superuser });
      },
    },
    earlier: () => expect.unreachable('Alternating users need no earlier version.'),
  };
  return { context, asked, changes, session, proven };
}

const next = (given: World) => {
  const { context } = world(given);
  return alternatingUsers.nextUsername(context.current, context);
};

describe('the next user', () => {
  it.each<[string, string, UserFacts]>([
    ['app', 'app_clone', ALONE],
    ['app_clone', 'app', A_TWIN],
    ['svc_clone', 'svc_clone_clone', { ...ALONE, namesake: 'svc' }],
    ['svc_clone_clone', 'svc_clone', A_TWIN],
  ])('of %s is %s', async (username, expected, user) => {
    expect(await next({ current: { username }, user })).toBe(expected);
  });

  it.each([
    'n'.repeat(57),
    `${'n'.repeat(55)}é`,
    `${'火'.repeat(19)}`,
  ])('may have 63 bytes: %s_clone', async (username) => {
    expect(Buffer.byteLength(username)).toBe(57);
    expect(await next({ current: { username } })).toBe(`${username}_clone`);
  });

  it.each([
    'n'.repeat(58),
    `${'n'.repeat(56)}é`,
    `${'火'.repeat(21)}`,
  ])('may not have more: %s_clone', async (username) => {
    await expect(next({ current: { username } })).rejects.toMatchObject({ code: 'TWIN_NAME_TOO_LONG' });
  });

  it('is none for a superuser, a password that is not accepted, or a twin that was cut off', async () => {
    const refusals = [
      ['APPLICATION_USER_IS_SUPERUSER', { user: { ...ALONE, superuser: true } }],
      ['PASSWORD_NOT_ACCEPTED', { refused: ['current'] }],
      ['TWIN_NOT_LINKED', { current: { username: 'app_clone' }, user: { ...A_TWIN, memberOfNamesake: false } }],
    ] as const;
    for (const [code, given] of refusals) await expect(next(given)).rejects.toMatchObject({ code });
  });

  it('has its name quoted in a remedy that a person will paste', async () => {
    const user = { ...A_TWIN, namesake: 'we"ird; --', memberOfNamesake: false };
    const refusal = next({ current: { username: 'we"ird; --_clone' }, user });
    await expect(refusal).rejects.toMatchObject({ remedy: expect.stringContaining('GRANT "we""ird; --" TO') });
  });

  it('is found by a login that setSecret need not repeat', async () => {
    const { context, proven } = world();
    await alternatingUsers.nextUsername(context.current, context);
    expect(proven.get(context.current)).toEqual({ scram: true });
  });
});

describe('setSecret', () => {
  it("sets the twin's password through the superuser, after the current login was proven", async () => {
    const { context, asked, changes } = world();
    expect(await alternatingUsers.applyPending(context)).toBe('superuser');
    expect(asked.toSorted()).toEqual(['login current', 'login superuser', 'read superuser secret']);
    expect(asked.at(-1)).toBe('login superuser');
    expect(changes).toEqual([{ base: 'app', twin: 'app_clone', username: 'app_clone', scram: true }]);
  });

  it('proves nothing twice', async () => {
    const { context, asked } = world({ proven: true });
    await alternatingUsers.applyPending(context);
    expect(asked).toEqual(['read superuser secret', 'login superuser']);
  });

  it("knows the base role's turn", async () => {
    const { context, changes } = world({
      current: { username: 'app_clone' },
      pending: { username: 'app' },
      user: A_TWIN,
    });
    await alternatingUsers.applyPending(context);
    expect(changes).toEqual([{ base: 'app', twin: 'app_clone', username: 'app', scram: true }]);
  });

  it.each<[string, Members]>([
    ['another user', { username: 'other' }],
    ['the same user', { username: 'app' }],
    ['a twin of the twin', { username: 'app_clone_clone' }],
    ['another host', { host: 'elsewhere' }],
    ['another port', { port: 5433 }],
  ])('asks nobody anything where the pending version is for %s', async (_, pending) => {
    const { context, asked } = world({ pending });
    await expect(alternatingUsers.applyPending(context)).rejects.toMatchObject({ code: 'PENDING_MISMATCH' });
    expect(asked).toEqual([]);
  });

  it('never logs in as the superuser where the current password is not accepted', async () => {
    const { context, asked } = world({ refused: ['current'] });
    await expect(alternatingUsers.applyPending(context)).rejects.toMatchObject({
      code: 'PASSWORD_NOT_ACCEPTED',
      facts: { credential: 'current' },
    });
    expect(asked).not.toContain('login superuser');
  });

  it.each(['app', 'app_clone'])('never logs in with a superuser secret that is for %s', async (username) => {
    const { context, asked } = world({ superuser: { username } });
    await expect(alternatingUsers.applyPending(context)).rejects.toMatchObject({
      code: 'SUPERUSER_IS_APPLICATION_USER',
    });
    expect(asked).not.toContain('login superuser');
  });

  it("tells the superuser's wrong password from the application's", async () => {
    const { context } = world({ refused: ['superuser'] });
    await expect(alternatingUsers.applyPending(context)).rejects.toMatchObject({
      code: 'PASSWORD_NOT_ACCEPTED',
      facts: { credential: 'superuser', username: 'postgres' },
    });
  });
});

describe('testSecret', () => {
  const verify = (given: World) => {
    const { context, session } = world(given);
    return alternatingUsers.verify(session, context.pending);
  };

  it.each<[string, World]>([
    ['a base role', { user: ALONE }],
    ['a twin that acts as its base role', { user: A_TWIN }],
    [
      'a twin that acts as what its base role acts as',
      { user: { ...A_TWIN, actsAs: 'owner', namesakeActsAs: 'owner' } },
    ],
    ["AWS's clone, with all privileges", { user: { ...A_TWIN, actsAs: 'app_clone', setToNamesake: false } }],
  ])('is content with %s', async (_, given) => {
    await expect(verify(given)).resolves.toBeUndefined();
  });

  it.each<[string, World, string]>([
    [
      "AWS's clone without a privilege",
      { user: { ...A_TWIN, actsAs: 'app_clone', setToNamesake: false }, missing: 3 },
      '3 privileges',
    ],
    [
      'a twin that should act as its base role and does not',
      { user: { ...A_TWIN, actsAs: 'app_clone' } },
      'another role',
    ],
  ])('refuses %s', async (_, given, found) => {
    await expect(verify(given)).rejects.toMatchObject({
      code: 'TWIN_DIFFERS',
      message: expect.stringContaining(found),
    });
  });

  it('waits for a replica only where the superuser secret is for another server', async () => {
    const mayLag = (given: World) => {
      const { context } = world(given);
      return alternatingUsers.mayLag(context.pending, context);
    };
    expect(await mayLag({})).toBe(false);
    expect(await mayLag({ superuser: { host: 'primary' } })).toBe(true);
    expect(await mayLag({ pending: { masterarn: undefined } })).toBe(false);
  });
});
