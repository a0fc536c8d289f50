import { describe, expect, it } from 'vitest';
import { foreseeChange, prepareOwnPassword } from '../../../shared/database/own-password.ts';
import type { ServerTraits } from '../../../shared/database/server-traits.ts';
import type { PasswordRequest } from '../../../shared/rotation/ports.ts';
import { Password } from '../../../shared/secret/password.ts';
import { driverLogsIn } from '../../support/driver-sasl.ts';
import { credentialOf } from '../../support/fake-rotation.ts';
import { FakeSession } from '../../support/fake-session.ts';
import { openedRole, USUAL_SERVER } from '../../support/opened-role.ts';

const REQUEST: PasswordRequest = { method: 'scram-sha-256', salt: Buffer.from('sixteen bytes...'), iterations: 4096 };

interface Given {
  readonly server?: Partial<ServerTraits>;
  /** What was foreseen, and what came of it. */
  readonly expected?: string;
  readonly to?: string;
  /** The login whose password a way back puts back; default: the session's own. */
  readonly origin?: { readonly password: string; readonly request: PasswordRequest };
}

/** What is stored by the change and by its way back, and what had been computed before. */
async function changed({ server, expected = 'new', to = 'new', origin }: Given = {}) {
  const session = new FakeSession({ password: 'old' });
  session.request = REQUEST;
  const foreseen = foreseeChange(session, new Password(expected));
  const [next, former] = [await foreseen.next?.computed, await foreseen.former?.computed];
  const { password, request } = origin ?? { password: 'old', request: REQUEST };
  const credential = credentialOf('current', 'v1', { password });
  const role = openedRole({ ...USUAL_SERVER, ...server });
  const change = await prepareOwnPassword(session, role, 'client', new Password(to), { credential, request }, foreseen);
  await change.apply(async () => 'proceed');
  if (typeof change.wayBack === 'function') await change.wayBack(async () => true);
  const [set, back] = session.sent.flatMap(({ data }) => data ?? []);
  return { next, former, set, back, computing: change.computing, session };
}

describe('what was computed while the lock was asked for', () => {
  it('is what is stored, and puts back what has logged in', async () => {
    const { next, former, set, back, computing, session } = await changed();
    expect([set, back]).toEqual([next?.verifier, former?.verifier]);
    expect(await driverLogsIn('new', set ?? '')).toBe(true);
    expect(await driverLogsIn('old', back ?? '')).toBe(true);
    // As long as it took: a proof computes as much.
    expect(computing).toBe(Math.max(next?.computing ?? 0, former?.computing ?? 0));
    expect(session.secrets).toEqual(expect.arrayContaining(['new', 'old', set, back]));
  });

  it.each<[string, Given, RegExp]>([
    ['another password is set', { to: 'another' }, /^SCRAM-SHA-256\$4096:/],
    ['the server has another count', { server: { iterations: 10_000 } }, /^SCRAM-SHA-256\$10000:/],
    [
      'the server has none, and its usual one is wanted',
      { server: { iterations: null }, to: 'b' },
      /^SCRAM-SHA-256\$4096:/,
    ],
  ])('is not, where %s', async (_, given, form) => {
    const { next, set = '' } = await changed(given);
    expect(set).not.toBe(next?.verifier);
    expect(set).toMatch(form);
    expect(await driverLogsIn(given.to ?? 'new', set)).toBe(true);
  });

  it('is none of a password that only the server knows how to store', async () => {
    const { next, set } = await changed({ expected: 'né\\w', to: 'né\\w' });
    expect([next, set]).toEqual([undefined, 'né\\w']);
  });

  it.each([
    ['another password', { password: 'earlier', request: REQUEST }],
    [
      'another salt, of a password that was set meanwhile',
      { password: 'old', request: { ...REQUEST, salt: Buffer.from('another salt....') } },
    ],
  ])('is not what puts back %s', async (_, origin) => {
    const { former, back = '' } = await changed({ origin });
    expect(back).not.toBe(former?.verifier);
    expect(back).toContain(`$4096:${origin.request.salt.toString('base64')}$`);
    expect(await driverLogsIn(origin.password, back)).toBe(true);
  });
});
