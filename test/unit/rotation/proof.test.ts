import { describe, expect, it, vi } from 'vitest';
import type { RotationErrorCode } from '../../../shared/errors.ts';
import type { PasswordOutcome, PasswordRequest, RoleSession } from '../../../shared/rotation/ports.ts';
import { isNoRoom, type ProofOptions, prove } from '../../../shared/rotation/proof.ts';
import { credentialOf } from '../../support/fake-rotation.ts';
import { failure } from '../../support/fake-server.ts';

const REQUEST: PasswordRequest = { method: 'md5' };
const PENDING = credentialOf('pending', 'v2');
const OPTIONS: ProofOptions = { within: 30_000, address: '10.0.0.1', whenRefused: 'Look at pg_hba.conf.' };

type Answer = RotationErrorCode | PasswordOutcome<undefined>;

/** Proves against a server that gives these answers, the last one for ever. */
async function proveBy(answers: readonly Answer[], options: Partial<ProofOptions> = {}, work = async () => {}) {
  const asked: number[] = [];
  const tryPassword = async <T>(_: unknown, run: (roles: RoleSession) => Promise<T>, within?: number) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)];
    asked.push(within ?? Number.NaN);
    if (typeof answer === 'string') throw failure(answer);
    if (answer === undefined) throw new TypeError('an answer was needed');
    if (answer.accepted !== true) return answer;
    const roles = { request: REQUEST } as RoleSession;
    return { accepted: true as const, value: await run(roles) };
  };
  const result = await prove({ tryPassword }, PENDING, work, { ...OPTIONS, ...options }).catch(
    (error: unknown) => error,
  );
  return { result, asked };
}

const refusedBy = (address: string | undefined): Answer => ({ accepted: false, address, request: REQUEST });
const ACCEPTED: Answer = { accepted: true, value: undefined };

describe('a new password is proven', () => {
  it('by a session, in which the work was done', async () => {
    const { result, asked } = await proveBy([ACCEPTED]);
    expect(result).toEqual({ proof: 'session', request: REQUEST });
    expect(asked).toHaveLength(1);
  });

  it.each<RotationErrorCode>([
    'DATABASE_FULL',
    'ROLE_CONNECTION_LIMIT',
  ])('without one where there is no room: %s', async (code) => {
    const { result } = await proveBy([{ accepted: 'without-session', error: failure(code), request: REQUEST }]);
    expect(result).toEqual({ proof: 'without-session', request: REQUEST });
    expect(isNoRoom(failure(code))).toBe(true);
  });

  it.each<RotationErrorCode>([
    'LOGIN_FORBIDDEN',
    'DATABASE_NOT_FOUND',
    'DATABASE_TIMEOUT',
    'PERMISSION_DENIED',
    'ROLE_NAME_ENCODING',
  ])('not by anything else that comes after it was taken, which is final: %s', async (code) => {
    const { result, asked } = await proveBy([
      { accepted: 'without-session', error: failure(code), request: REQUEST },
      ACCEPTED,
    ]);
    expect(result).toMatchObject({ code });
    expect(asked).toHaveLength(1);
  });

  it('not where the work in the session fails', async () => {
    const { result, asked } = await proveBy([ACCEPTED], {}, () => Promise.reject(failure('TWIN_DIFFERS')));
    expect(result).toMatchObject({ code: 'TWIN_DIFFERS' });
    expect(asked).toHaveLength(1);
  });
});

describe('no answer', () => {
  it.each<RotationErrorCode>([
    'DATABASE_HOST_NOT_FOUND',
    'DATABASE_UNREACHABLE',
    'DATABASE_CONNECTION_LOST',
    'DATABASE_UNAVAILABLE',
    'DATABASE_FULL',
  ])('is waited for: %s', async (code) => {
    expect((await proveBy([code, code, ACCEPTED])).result).toMatchObject({ proof: 'session' });
  });

  it('is a refusal in the end, which names its cause; each try has only what is left of the time', async () => {
    const options = { ...OPTIONS, within: 600 };
    const { result, asked } = await proveBy(['DATABASE_UNREACHABLE'], options);
    expect(result).toMatchObject({ code: 'DATABASE_UNREACHABLE' });
    expect(asked.length).toBeGreaterThan(1);
    expect(asked[0]).toBeGreaterThan(options.within - 100);
    expect(asked.every((within, i) => within <= (asked[i - 1] ?? options.within) && within >= 1)).toBe(true);
    // However much the pauses have grown, the last try is made at the end.
    expect(asked.at(-1)).toBeLessThanOrEqual(101);
    expect(asked.length).toBeLessThan(8);
  });

  it('is told by the last cause, unless that was the end of the time', async () => {
    const failing = async (...codes: RotationErrorCode[]) => {
      const clock = vi.spyOn(performance, 'now').mockReturnValue(0);
      // The last one takes so long that no time is left.
      const tryPassword = async () => {
        const code = codes.shift();
        if (codes.length === 0) clock.mockReturnValue(120);
        throw failure(code ?? 'UNEXPECTED');
      };
      const options = { ...OPTIONS, within: 150 };
      const error = await prove({ tryPassword }, PENDING, async () => {}, options).catch((thrown: unknown) => thrown);
      clock.mockRestore();
      return error;
    };
    expect(await failing('DATABASE_UNREACHABLE', 'DATABASE_CONNECTION_LOST')).toMatchObject({
      code: 'DATABASE_CONNECTION_LOST',
    });
    expect(await failing('DATABASE_UNREACHABLE', 'DATABASE_TIMEOUT')).toMatchObject({ code: 'DATABASE_UNREACHABLE' });
    expect(await failing('DATABASE_TIMEOUT')).toMatchObject({ code: 'DATABASE_TIMEOUT' });
  });

  it.each<RotationErrorCode>([
    'DATABASE_TIMEOUT',
    'TLS_FAILED',
    'TLS_UNTRUSTED_CERTIFICATE',
    'AUTHENTICATION_UNSUPPORTED',
  ])('is none of these, which are final: %s', async (code) => {
    const { result, asked } = await proveBy([code, ACCEPTED]);
    expect(result).toMatchObject({ code });
    expect(asked).toHaveLength(1);
  });
});

it.each<RotationErrorCode>([
  'DATABASE_UNAVAILABLE',
  'DATABASE_CONNECTION_LOST',
])('a connection that breaks off once the password was taken is tried again: %s', async (code) => {
  const broken = { accepted: 'without-session', error: failure(code), request: REQUEST } as const;
  const { result, asked } = await proveBy([broken, ACCEPTED]);
  expect(result).toMatchObject({ proof: 'session' });
  expect(asked).toHaveLength(2);
});

describe('a refused password', () => {
  it.each([
    ['by the server that has changed it', '10.0.0.1', '10.0.0.1'],
    ['where nobody knows by which', '10.0.0.1', undefined],
    ['where nobody knows which has changed it', undefined, '10.0.0.2'],
  ])('is final %s', async (_, address, by) => {
    const { result, asked } = await proveBy([refusedBy(by), ACCEPTED], { address });
    expect(result).toMatchObject({
      code: 'PASSWORD_NOT_ACCEPTED',
      remedy: OPTIONS.whenRefused,
      facts: { credential: 'pending' },
    });
    expect(asked).toHaveLength(1);
  });

  it('has its request told of where it was the server that has changed it, and of no other', async () => {
    const requests: unknown[] = [];
    const options = { onRefused: (request: PasswordRequest | undefined) => requests.push(request) };
    await proveBy([refusedBy('10.0.0.2'), ACCEPTED], options);
    expect(requests).toEqual([]);
    await proveBy([refusedBy('10.0.0.1')], options);
    expect(requests).toEqual([REQUEST]);
  });

  it('is asked again where another server answers, which may not have heard of it', async () => {
    expect((await proveBy([refusedBy('10.0.0.2'), refusedBy('10.0.0.2'), ACCEPTED])).result).toMatchObject({
      proof: 'session',
    });
    expect((await proveBy([refusedBy('10.0.0.2')], { within: 350 })).result).toMatchObject({
      code: 'PASSWORD_NOT_ACCEPTED',
    });
    expect((await proveBy([refusedBy('10.0.0.2'), refusedBy('10.0.0.1')])).asked).toHaveLength(2);
  });
});

it('what is no RotationError is thrown as it is', async () => {
  const thrown = new TypeError('unexpected');
  const tryPassword = () => Promise.reject(thrown);
  await expect(prove({ tryPassword }, PENDING, async () => {}, OPTIONS)).rejects.toBe(thrown);
});
