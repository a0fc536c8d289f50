import type { Origin, OwnPasswordChange, PasswordRequest } from '../rotation/ports.ts';
import type { Password } from '../secret/password.ts';
import { changeRole, type RoleChange } from './change-role.ts';
import { formUnknown } from './connect-error.ts';
import { type ForeseenVerifier, foreseeNew, foreseeStored, timed } from './foreseen-verifier.ts';
import { changeSettings, isHashedByServer, needUsualIterations, storedForm } from './password-change.ts';
import { DEFAULT_SCRAM_ITERATIONS, passwordVerifier, saltOf, saslPrep, scramVerifier } from './password-hash.ts';
import { lockAgain, type OpenedRole } from './role-lock.ts';
import { isSilentInClear, needSilence, type ServerTraits } from './server-traits.ts';
import type { SqlSession } from './session.ts';
import type { PasswordHashing } from './settings.ts';

/** With no role set, a user may always change its own password; and so no name needs quoting. */
const SELF = 'ALTER ROLE SESSION_USER';

/**
 * Everything that a change of the own password would be refused for, as far as a login shows it.
 *
 * @throws RotationError SCRAM_ITERATIONS_TOO_HIGH | PASSWORD_WOULD_BE_LOGGED | PASSWORD_FORM_UNKNOWN
 */
export function needChangeable(session: SqlSession, server: ServerTraits, hashing: PasswordHashing): void {
  needUsualIterations(session, server);
  const { username, password } = session.login;
  // Such a password would have to be put back in clear.
  const inClear = session.request?.method === 'clear' && isHashedByServer(session, 'client', password.reveal());
  if (hashing === 'server' || inClear) needSilence(session, server, username);
  // What the server says of new passwords is not what pg_hba.conf says to others, and what is stored can't be seen.
  if (session.request?.method === 'clear' && server.method === 'md5') throw formUnknown(session.login);
}

/** What a change of the own password and its way back take as a rule. */
export interface ForeseenChange {
  readonly next?: ForeseenVerifier | undefined;
  readonly former?: ForeseenVerifier | undefined;
}

/** Begins to compute that. */
export function foreseeChange({ login, request }: SqlSession, to: Password | undefined): ForeseenChange {
  return to === undefined ? {} : { next: foreseeNew(to), former: foreseeStored(login.password, request) };
}

/**
 * Computes everything that a change of the own password and its way back take, before anything is changed.
 *
 * @param origin what has logged in, under the lock: what the way back puts back.
 * @param foreseen what it takes as a rule.
 */
export async function prepareOwnPassword(
  session: SqlSession,
  opened: OpenedRole,
  hashing: PasswordHashing,
  to: Password,
  origin: Origin,
  foreseen: ForeseenChange = {},
): Promise<OwnPasswordChange> {
  const { server, pooled } = opened;
  const { username } = session.login;
  const { password } = origin.credential.secret;
  const clear = password.reveal();
  needChangeable(session, server, hashing);
  const mayBeClear = isHashedByServer(session, 'server', clear);
  if (origin.request?.method === 'clear' && isHashedByServer(session, 'client', clear))
    needSilence(session, server, username);
  const scram = origin.request?.method === 'scram-sha-256';
  // Another login than this session's is asked in another way.
  const own = origin.request === session.request && clear === foreseen.former?.clear ? foreseen.former : undefined;
  const [next, before] = await Promise.all([
    storedForm(session, server, hashing, { username, password: to, scram, actor: username, foreseen: foreseen.next }),
    own?.computed ?? timed(() => formerForm(session, origin.request, server, password)),
  ]);
  const computing = Math.max(next.computing, before.computing);
  const [stored, former] = [next.verifier, before.verifier];
  session.redact(clear);
  if (former !== undefined) session.redact(former);

  const change = (
    lock: string,
    forms: readonly [string, ...string[]],
    isWanted: () => Promise<boolean>,
  ): RoleChange => ({
    locked: username,
    opening: `${changeSettings(session, server, scram)} SET LOCAL ROLE NONE; ${lock}`,
    alter: SELF,
    stored: forms,
    isWanted,
  });
  const lock = lockAgain(opened, username);
  return {
    computing,
    isStored: (request) => isStored(session, [saltOf(stored), former && saltOf(former)], request),
    async apply(guard, beforeCommit) {
      const isWanted = async () => (await guard()) === 'proceed';
      const wanted = { ...change(lock, [stored], isWanted), beforeCommit };
      return (await changeRole(session, server, wanted)) ? 'changed' : 'already-current';
    },
    wayBack: pooled
      ? { none: 'through a pooler nobody knows what the session was when it was lent' }
      : former === undefined
        ? { none: 'how it was stored is not known, as the server asked for no password at login' }
        : async (look) => {
            // The same stored form as before; where the server refuses hashes, the password itself, by the silent way.
            const forms: [string, ...string[]] =
              mayBeClear && former !== clear && isSilentInClear(server) ? [former, clear] : [former];
            await changeRole(session, server, { ...change('', forms, look), persists: true, asksInSession: true });
          },
  };
}

/**
 * A login that must fail is asked with a salt of the server's own making: one whose role has expired. And who asks with the
 * salt of before has never heard of the change: somebody in between.
 */
async function isStored(
  session: SqlSession,
  [set, former]: readonly (string | undefined)[],
  request: PasswordRequest | undefined,
): Promise<boolean> {
  if (request?.method !== 'scram-sha-256' || set === undefined) return true;
  if ([set, former].includes(request.salt.toString('base64'))) return true;
  const [row] = await session.proceed<{ expired: boolean }>(
    'SELECT coalesce(rolvaliduntil <= clock_timestamp(), false) AS expired FROM pg_roles WHERE rolname = session_user',
  );
  return row?.expired === true;
}

/**
 * What the server has stored, rebuilt byte for byte from how it asked for the password; the usual form where it asked for
 * clear text. Undefined where it asked for none.
 */
async function formerForm(
  session: SqlSession,
  request: PasswordRequest | undefined,
  server: ServerTraits,
  password: Password,
): Promise<string | undefined> {
  const { username } = session.login;
  const clear = password.reveal();
  switch (request?.method) {
    // No PostgreSQL asks for the digest.
    case 'sha256-digest':
    case undefined:
      return undefined;
    case 'md5':
      return await passwordVerifier({ method: 'md5' }, username, clear);
    case 'scram-sha-256':
      return await scramVerifier(saslPrep(clear), request.salt, request.iterations);
    case 'clear': {
      // The server prepares such a text in its own way.
      if (isHashedByServer(session, 'client', clear)) return clear;
      const iterations = server.iterations ?? DEFAULT_SCRAM_ITERATIONS;
      return await passwordVerifier({ method: 'scram-sha-256', iterations }, username, clear);
    }
    default: {
      const never: never = request;
      return never;
    }
  }
}
