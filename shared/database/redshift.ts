import { setTimeout as sleep } from 'node:timers/promises';
import { escapeIdentifier, escapeLiteral } from 'pg';
import type { Origin, OwnPasswordChange, OwnRole, RoleLock } from '../rotation/ports.ts';
import { needsRoles } from '../rotation/twin-errors.ts';
import type { Password } from '../secret/password.ts';
import { isBusy } from './connect-error.ts';
import type { Dialect } from './dialect.ts';
import { needUser } from './identity.ts';
import { passwordVerifier } from './password-hash.ts';
import { REDSHIFT_WIRE } from './redshift-wire.ts';
import type { SqlSession } from './session.ts';

/**
 * Amazon Redshift: PostgreSQL 8.0's protocol with statements and authentication of its own. It has no advisory locks, so
 * that nobody is kept waiting; what it has is the change itself, which is made first and committed last. Until then
 * another change of users waits for it, or one of the two fails (error 1023).
 */
export const redshift: Dialect = {
  wire: REDSHIFT_WIRE,
  roles: (session) => ({
    request: session.request,
    address: session.address,
    loginTook: session.loginTook,
    confirmUser: () => confirmUser(session),
    // What a change would be refused for no user can see of itself, but for being let in.
    examineOwn: () => confirmUser(session),
    async lockOwn(): Promise<OwnRole> {
      await confirmUser(session);
      return { ...NO_LOCK, prepare: (to, origin) => prepare(session, to, origin) };
    },
    async awaitOwn() {
      await confirmUser(session);
      return NO_LOCK;
    },
    get twins(): never {
      throw needsRoles(session.login);
    },
  }),
};

/** Nothing is held at the end, so no proof counts that was made under it: testSecret logs in. */
const NO_LOCK: RoleLock = { fresh: true, release: () => Promise.resolve(false) };

/** Its process ids are not documented to be those that it names at login: nobody can tell a proxy by them. */
async function confirmUser(session: SqlSession): Promise<void> {
  const [row] = await session.query<{ readonly user: string }>('SELECT session_user AS "user"');
  needUser(session, row && { ...row, pid: session.processId ?? 0 }, true);
}

const SHA256_REPLACED =
  'the password was stored as sha256, and is stored as md5 now, which every driver can log in with (docs/deploy.md, Amazon Redshift)';

/**
 * What is stored, and put back, is md5: Redshift's own default, with which every driver can log in, and computed here, so
 * that no clear password is sent.
 */
async function prepare(session: SqlSession, to: Password, { credential, request }: Origin): Promise<OwnPasswordChange> {
  const { username } = session.login;
  const stored = async (password: Password) => {
    const clear = password.reveal();
    const verifier = await passwordVerifier({ method: 'md5' }, username, clear);
    for (const secret of [clear, verifier]) session.redact(secret);
    return verifier;
  };
  const [next, former] = [await stored(to), await stored(credential.secret.password)];
  return {
    computing: 0,
    notice: request?.method === 'sha256-digest' ? SHA256_REPLACED : undefined,
    // Nobody can tell: no login shows how a password is stored as md5.
    isStored: () => Promise.resolve(true),
    apply: async (guard) =>
      (await change(session, next, async () => (await guard()) === 'proceed')) ? 'changed' : 'already-current',
    async wayBack(look) {
      for (;;) {
        try {
          await change(session, former, look);
          return;
        } catch (error) {
          if (!isBusy(error) || session.deadline.remaining() < TIME_FOR_ANOTHER) throw error;
        }
        await sleep(PAUSE);
      }
    },
  };
}

/** What another try of the way back takes, in ms. */
const TIME_FOR_ANOTHER = 1_000;
/** Before it, in ms. */
const PAUSE = 100;

/**
 * One transaction: the change, which holds the user's row or has whoever else changes it fail; the question whether it is
 * still wanted; and only then COMMIT.
 *
 * @returns whether it was wanted.
 */
async function change(session: SqlSession, stored: string, isWanted: () => Promise<boolean>): Promise<boolean> {
  try {
    const user = escapeIdentifier(session.login.username);
    await session.begin(`ALTER USER ${user} PASSWORD ${escapeLiteral(stored)}`);
    if (await isWanted()) {
      await session.proceed('COMMIT');
      return true;
    }
  } catch (error) {
    await session.rollback().catch(() => undefined);
    throw error;
  }
  await session.rollback();
  return false;
}
