import { setTimeout as sleep } from 'node:timers/promises';
import { RotationError, type RotationErrorCode } from '../errors.ts';
import { passwordNotAccepted } from './credential-errors.ts';
import type { Credential, PasswordRequest, RoleSession } from './ports.ts';
import type { StrategyContext } from './strategy.ts';

/** How long, in ms, a new password's login may take, besides our own computing. No answer by then is a refusal. */
export const PROOF_WITHIN = 3_000;
/** First pause before a login that got no answer is made again, and the longest one, in ms; each is twice the last. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 400;

/** What says nothing about the password: there was no answer. */
const NO_ANSWER: readonly RotationErrorCode[] = [
  'DATABASE_HOST_NOT_FOUND',
  'DATABASE_UNREACHABLE',
  'DATABASE_CONNECTION_LOST',
  'DATABASE_UNAVAILABLE',
  'DATABASE_FULL',
];
/** The server counts connections once it has taken the password: where it refuses by these, the password is right. */
const NO_ROOM: readonly RotationErrorCode[] = ['DATABASE_FULL', 'ROLE_CONNECTION_LIMIT'];

/** Whether the server has taken the password, and there was no room for a session. */
export function isNoRoom({ code }: RotationError): boolean {
  return NO_ROOM.includes(code);
}

export interface ProofOptions {
  /** ms */
  readonly within: number;
  /** The server's end of the connection that made the change: what that server refuses it has refused. */
  readonly address: string | undefined;
  readonly whenRefused: string;
  /** Hears how that server had asked for a password that it refused. */
  readonly onRefused?: (request: PasswordRequest | undefined) => void;
}

/** What a login has shown. */
export interface Proof {
  /** 'without-session': the password was taken, and there was no room for a session. */
  readonly proof: 'session' | 'without-session';
  readonly request: PasswordRequest | undefined;
}

/**
 * Logs in with a password that has just been set, by the way that applications take.
 *
 * @throws RotationError that tells why the login is not one that applications could make.
 */
export async function prove(
  context: Pick<StrategyContext, 'tryPassword'>,
  credential: Credential,
  work: (roles: RoleSession) => Promise<void>,
  options: ProofOptions,
): Promise<Proof> {
  const end = performance.now() + options.within;
  /** A try that is cut short by the end of the time says less than the one before. */
  let met: RotationError | undefined;
  for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    const attempt = await tryOnce(context, credential, work, {
      ...options,
      within: Math.max(1, end - performance.now()),
    });
    if ('proof' in attempt) return attempt;
    const left = end - performance.now();
    const isOver = left <= FIRST_PAUSE;
    if (isOver && attempt.error.code === 'DATABASE_TIMEOUT') throw met ?? attempt.error;
    if (attempt.final || isOver) throw attempt.error;
    met = attempt.error;
    // The last login comes as late as the first pause before the end.
    await sleep(Math.min(pause, left - FIRST_PAUSE));
  }
}

async function tryOnce(
  { tryPassword }: Pick<StrategyContext, 'tryPassword'>,
  credential: Credential,
  work: (roles: RoleSession) => Promise<void>,
  { within, address, whenRefused, onRefused }: ProofOptions,
): Promise<Proof | { readonly error: RotationError; readonly final: boolean }> {
  try {
    const outcome = await tryPassword(
      credential,
      async (roles) => {
        await work(roles);
        return roles.request;
      },
      within,
    );
    switch (outcome.accepted) {
      case true:
        return { proof: 'session', request: outcome.value };
      case 'without-session':
        if (isNoRoom(outcome.error)) return { proof: 'without-session', request: outcome.request };
        return { error: outcome.error, final: !NO_ANSWER.includes(outcome.error.code) };
      case false: {
        // Another server behind the same name may be a standby that has not heard of the change yet.
        const final = address === undefined || outcome.address === undefined || outcome.address === address;
        if (final) onRefused?.(outcome.request);
        return { error: passwordNotAccepted(credential, whenRefused), final };
      }
      default: {
        const never: never = outcome;
        return never;
      }
    }
  } catch (error) {
    if (!(error instanceof RotationError)) throw error;
    return { error, final: !NO_ANSWER.includes(error.code) };
  }
}
