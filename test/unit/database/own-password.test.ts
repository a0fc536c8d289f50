import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { needChangeable, prepareOwnPassword } from '../../../shared/database/own-password.ts';
import { saslPrep, scramVerifier } from '../../../shared/database/password-hash.ts';
import type { ServerTraits } from '../../../shared/database/server-traits.ts';
import type { RotationErrorCode } from '../../../shared/errors.ts';
import type { PasswordRequest } from '../../../shared/rotation/ports.ts';
import { Password } from '../../../shared/secret/password.ts';
import { driverLogsIn } from '../../support/driver-sasl.ts';
import { credentialOf, refusal } from '../../support/fake-rotation.ts';
import { failure } from '../../support/fake-server.ts';
import { FakeSession, type Sent } from '../../support/fake-session.ts';
import { openedRole, USUAL_SERVER } from '../../support/opened-role.ts';

const SCRAM: PasswordRequest = { method: 'scram-sha-256', salt: Buffer.from('sixteen bytes...'), iterations: 10 };
const SERVER: ServerTraits = { ...USUAL_SERVER, iterations: 10 };

const ODD = {
  ASCII: 'pencil',
  'a ligature': 'oﬃce',
  'a space that is none of ASCII': 'a\u00a0b\u3000c\u200bd',
  'a soft hyphen': 'soft\u00adhyphen',
  'é in one': '\u00e9',
  'é in two': 'e\u0301',
  'an emoji with a joiner and a selector': '👩\u200d💻\ufe0f',
  'the byte order mark': 'a\ufeffb',
  'a control character': 'a\u0007b',
  'what is prohibited': 'a\ue000ﬃ',
  'both directions': 'a\u05d0\u0661ﬃ',
  'a character that nobody has assigned': 'a\u0378ﬃ',
  'wide characters': 'Ｐａｓｓ①',
  'characters beyond 16 bits': '𝒫𝒶𝓈𝓈',
} as const;

interface Given {
  readonly server?: Partial<ServerTraits>;
  readonly request?: PasswordRequest | undefined;
  readonly former?: string;
  readonly to?: string;
  readonly pooled?: boolean;
  readonly hashing?: 'client' | 'server';
}

async function prepare({ server, request, former = 'old', to = 'new', pooled = false, hashing = 'client' }: Given) {
  const session = new FakeSession({ password: former });
  session.request = request;
  const role = openedRole({ ...SERVER, ...server }, pooled);
  const origin = { credential: credentialOf('current', 'v1', { password: former }), request };
  const change = await prepareOwnPassword(session, role, hashing, new Password(to), origin);
  return { session, change };
}

/** What was stored last: as COPY data, or in the statement. */
function stored({ sent }: FakeSession): string | undefined {
  const last = sent.findLast(({ how, text }) => how === 'copy' || / PASSWORD\s+E?'/.test(text));
  return last?.data ?? /PASSWORD\s+E?'([^']+)'/.exec(last?.text ?? '')?.[1];
}

async function wayBack(given: Given): Promise<{ session: FakeSession; former: string | undefined }> {
  const { session, change } = await prepare(given);
  if (typeof change.wayBack !== 'function') throw new Error(change.wayBack.none);
  await change.wayBack(async () => true);
  return { session, former: stored(session) };
}

describe('what a client makes of a password', () => {
  it.each(Object.entries(ODD))('is what the driver makes of it: %s', async (_, password) => {
    const verifier = await scramVerifier(saslPrep(password), Buffer.from('salt'), 3);
    expect(await driverLogsIn(password, verifier)).toBe(true);
    expect(await driverLogsIn(`${password}.`, verifier)).toBe(false);
  });

  it('is what the driver makes of it, whatever it is', async () => {
    const special = fc.constantFrom(...Object.values(ODD).flatMap((each) => [...each]));
    const text = fc.array(fc.oneof(special, fc.string({ unit: 'binary', minLength: 1, maxLength: 3 })), {
      minLength: 1,
    });
    await fc.assert(
      fc.asyncProperty(text, async (parts) => {
        const password = parts.join('');
        expect(await driverLogsIn(password, await scramVerifier(saslPrep(password), Buffer.from('salt'), 1))).toBe(
          true,
        );
      }),
      { numRuns: 300 },
    );
  });

  it('differs from the text itself where that matters', () => {
    expect([ODD['a ligature'], ODD['é in two'], ODD['a soft hyphen']].map(saslPrep)).toEqual([
      'office',
      '\u00e9',
      'softhyphen',
    ]);
  });
});

describe('the way back', () => {
  it.each(Object.entries(ODD))('stores the very verifier that has logged in: %s', async (_, former) => {
    const { former: verifier = '' } = await wayBack({ request: SCRAM, former });
    expect(verifier).toBe(await scramVerifier(saslPrep(former), SCRAM.salt, SCRAM.iterations));
    expect(await driverLogsIn(former, verifier)).toBe(true);
  });

  it('keeps the count of the login, whatever the server has for new passwords', async () => {
    const { former } = await wayBack({ request: SCRAM, server: { iterations: 4096 } });
    expect(former).toMatch(/^SCRAM-SHA-256\$10:/);
  });

  it('stores the md5 hash that has logged in, of the raw text', async () => {
    const { former } = await wayBack({ request: { method: 'md5' }, former: 'oﬃce' });
    expect(former).toBe(`md5${createHash('md5').update('oﬃceapp').digest('hex')}`);
  });

  it('stores a verifier where the server asked for clear text, or the text where only the server knows how', async () => {
    const { former: verifier = '' } = await wayBack({ request: { method: 'clear' } });
    expect(await driverLogsIn('old', verifier)).toBe(true);
    expect((await wayBack({ request: { method: 'clear' }, former: 'oﬃce' })).former).toBe('oﬃce');
  });

  it('is none where the server asked for no password, nor through a pooler, and the reason is a part of a sentence', async () => {
    for (const given of [{ request: undefined }, { request: SCRAM, pooled: true }]) {
      const { change } = await prepare(given);
      expect(change.wayBack).toMatchObject({ none: expect.stringMatching(/^[a-z].*[^.]$/) });
    }
  });

  it('takes the row before the password, in a transaction of its own, and waits for no guard', async () => {
    const { session } = await wayBack({ request: SCRAM });
    expect(session.sent.map(({ how }) => how)).toEqual(['begin', 'copy', 'commit']);
    expect(session.sent[0]?.text).toMatch(/SET LOCAL ROLE NONE;\s+ALTER ROLE SESSION_USER PASSWORD NULL$/);
  });

  it('is looked at while the row is held, each time anew, and given up where that says so', async () => {
    const { session, change } = await prepare({ request: SCRAM });
    if (typeof change.wayBack !== 'function') throw new Error(change.wayBack.none);
    let looks = 0;
    await change.wayBack(async () => {
      looks++;
      expect(session.sent.map(({ how }) => how)).toEqual(['begin']);
      expect(session.sent[0]?.text).toContain('PASSWORD NULL');
      return false;
    });
    expect(looks).toBe(1);
    expect(session.sent.map(({ how }) => how)).toEqual(['begin', 'rollback']);
  });

  it('leaves no transaction open where the look fails', async () => {
    const { session, change } = await prepare({ request: SCRAM });
    if (typeof change.wayBack !== 'function') throw new Error(change.wayBack.none);
    const thrown = failure('DATABASE_TIMEOUT');
    expect(await refusal(change.wayBack(() => Promise.reject(thrown)))).toBe(thrown);
    expect(session.sent.map(({ how }) => how)).toEqual(['begin', 'rollback']);
  });

  it('is tried again while somebody else is changing the role, as long as there is time', async () => {
    for (const [busy, ends] of [
      [2, true],
      [9, false],
    ] as const) {
      const { session, change } = await prepare({ request: SCRAM });
      let left = busy;
      session.deadline.left = 3_000;
      session.rows = ({ how }) => {
        if (how !== 'begin') return [];
        session.deadline.left -= 900;
        if (left-- > 0) throw failure('ROLE_BUSY');
        return [];
      };
      if (typeof change.wayBack !== 'function') expect.unreachable();
      else if (ends) await change.wayBack(async () => true);
      else expect(await refusal(change.wayBack(async () => true))).toMatchObject({ code: 'ROLE_BUSY' });
      expect(session.sent.filter(({ how }) => how === 'begin').length).toBeLessThan(5);
      expect(session.sent.filter(({ how }) => how === 'rollback').length).toBe(ends ? 2 : 3);
    }
  });

  it.each<[boolean, Partial<ServerTraits>]>([
    [true, {}],
    [false, { mayUseTemp: false }],
    // By COPY too, the server would log it with the statistics of the statement inside.
    [false, { statistics: ['log_parser_stats'] }],
  ])('sends the clear text where the server refuses hashes, by the silent way only: %s, %o', async (silent, server) => {
    const { session, change } = await prepare({ request: SCRAM, server });
    session.rows = ({ data, text }) => {
      if ((data ?? text).includes('SCRAM-SHA-256$')) throw failure('PASSWORD_REFUSED_BY_POLICY');
      return [];
    };
    if (typeof change.wayBack !== 'function') expect.unreachable();
    else if (silent) await change.wayBack(async () => true);
    else expect(await refusal(change.wayBack(async () => true))).toMatchObject({ code: 'PASSWORD_REFUSED_BY_POLICY' });
    expect(session.sent.some(({ data }) => data === 'old')).toBe(silent);
    expect(session.sent.some(({ text }) => text.includes("'old'"))).toBe(false);
  });
});

describe('whether the server has what was set', () => {
  async function asked(
    request: PasswordRequest | undefined,
    { expired = false, ...given }: Given & { expired?: boolean } = {},
  ) {
    const { session, change } = await prepare({ request: SCRAM, ...given });
    session.rows = ({ text }) => (text.includes('rolvaliduntil') ? [{ expired }] : []);
    await change.apply(async () => 'proceed');
    const salt = Buffer.from(/^SCRAM-SHA-256\$\d+:([^$]+)\$/.exec(stored(session) ?? '')?.[1] ?? '', 'base64');
    return await change.isStored(
      request?.method === 'scram-sha-256' && request.salt.length === 0 ? { ...request, salt } : request,
    );
  }
  const OWN: PasswordRequest = { ...SCRAM, salt: Buffer.alloc(0) };

  it('is what the salt shows that it asks with', async () => {
    expect(await asked(OWN)).toBe(true);
    expect(await asked({ ...SCRAM, salt: Buffer.from('by somebody else') })).toBe(false);
    // Of before: somebody in between has never heard of the change.
    expect(await asked(SCRAM)).toBe(true);
  });

  it('is taken for granted where a role has expired, which is asked with a salt of the moment', async () => {
    expect(await asked({ ...SCRAM, salt: Buffer.from('mock') }, { expired: true })).toBe(true);
  });

  it('and where nobody can tell', async () => {
    expect(await asked(undefined)).toBe(true);
    expect(await asked({ method: 'md5' })).toBe(true);
    expect(await asked({ method: 'clear' })).toBe(true);
    // The server has hashed it, with a salt of its own.
    expect(await asked(SCRAM, { hashing: 'server' })).toBe(true);
  });
});

describe('the change', () => {
  const apply = async (given: Given, guard: () => Promise<'proceed' | 'already-current'> = async () => 'proceed') => {
    const { session, change } = await prepare(given);
    const order: string[] = [];
    session.rows = ({ how, text }: Sent) => {
      order.push(how === 'begin' && text.includes('PASSWORD NULL') ? 'hold' : how);
      return [];
    };
    const verdict = await change
      .apply(async () => {
        order.push('guard');
        return await guard();
      })
      .catch((error: unknown) => error);
    return { session, order, verdict };
  };

  it('holds the row, asks the guard, sends the verifier meanwhile, as COPY data, and commits by its verdict', async () => {
    let answer = () => {};
    const guarded = new Promise<'proceed'>((resolve) => {
      answer = () => resolve('proceed');
    });
    const applying = apply({ request: SCRAM }, () => guarded);
    // All that can be done without an answer is done before it.
    await new Promise(setImmediate);
    answer();
    const { session, order, verdict } = await applying;
    expect([order, verdict]).toEqual([['hold', 'guard', 'copy', 'commit'], 'changed']);
    expect(await driverLogsIn('new', stored(session) ?? '')).toBe(true);
    for (const { text } of session.sent) expect(text).not.toMatch(/SCRAM-SHA-256\$|'new'|'old'/);
  });

  it('is given up where the guard says so, in either way', async () => {
    expect(await apply({ request: SCRAM }, async () => 'already-current')).toMatchObject({
      order: ['hold', 'guard', 'copy', 'rollback'],
      verdict: 'already-current',
    });
    expect(await apply({ request: SCRAM }, () => Promise.reject(failure('VERSION_UNKNOWN')))).toMatchObject({
      order: ['hold', 'guard', 'copy', 'rollback'],
      verdict: { code: 'VERSION_UNKNOWN' },
    });
  });

  it('sends nothing that the server might log before the guard lets it', async () => {
    const given: Given = { request: SCRAM, server: { mayUseTemp: false } };
    expect((await apply(given, async () => 'already-current')).order).toEqual(['hold', 'guard', 'rollback']);
    expect((await apply(given)).order).toEqual(['hold', 'guard', 'proceed', 'commit']);
  });

  it("tells the guard's refusal, where the server has refused the change meanwhile", async () => {
    const { session, change } = await prepare({ request: SCRAM });
    session.rows = ({ how }) => {
      if (how === 'copy') throw failure('PASSWORD_REFUSED_BY_POLICY');
      return [];
    };
    const refused = change.apply(() => Promise.reject(failure('VERSION_UNKNOWN')));
    await expect(refused).rejects.toMatchObject({ code: 'VERSION_UNKNOWN' });
    await expect(change.apply(async () => 'proceed')).rejects.toMatchObject({ code: 'PASSWORD_REFUSED_BY_POLICY' });
    expect(session.sent.at(-1)?.how).toBe('rollback');
  });

  it('has every password and verifier marked as one that no error may quote, before it is sent', async () => {
    const { session } = await apply({ request: SCRAM, former: 'oﬃce' });
    expect(session.secrets).toEqual(expect.arrayContaining(['new', 'oﬃce', stored(session)]));
    expect(session.secrets).toContain(await scramVerifier('office', SCRAM.salt, 10));
  });

  it.each<[string, Given, RegExp]>([
    [
      'SCRAM, as the login was by it',
      { request: SCRAM, server: { method: 'md5', iterations: null } },
      /^SCRAM-SHA-256\$4096:/,
    ],
    [
      'md5, as the login was and the server says',
      { request: { method: 'md5' }, server: { method: 'md5' } },
      /^md5[0-9a-f]{32}$/,
    ],
    ['SCRAM, as the server says for new ones', { request: { method: 'md5' } }, /^SCRAM-SHA-256\$10:/],
    ['clear text, where the server is to hash it', { request: SCRAM, hashing: 'server' }, /^new$/],
    ['clear text, where only the server knows how', { request: SCRAM, to: 'né\\w' }, /^né\\w$/],
  ])('stores %s', async (_, given, form) => {
    expect(stored((await apply(given)).session)).toMatch(form);
  });
});

describe('a change is refused before anything is computed', () => {
  it.each<[RotationErrorCode, string, Given]>([
    [
      'SCRAM_ITERATIONS_TOO_HIGH',
      'more rounds than a login of ours takes',
      { request: SCRAM, server: { iterations: 1_000_001 } },
    ],
    [
      'PASSWORD_WOULD_BE_LOGGED',
      'a clear text past no silent way',
      { request: SCRAM, hashing: 'server', server: { mayUseTemp: false } },
    ],
    [
      'PASSWORD_WOULD_BE_LOGGED',
      'text that only the server can hash',
      { request: SCRAM, to: 'né', server: { ddlTriggers: ['x'] } },
    ],
    [
      'PASSWORD_WOULD_BE_LOGGED',
      'a way back that only the server can hash',
      { request: { method: 'clear' }, former: 'né', server: { mayUsePlpgsql: false } },
    ],
    [
      'PASSWORD_FORM_UNKNOWN',
      'a form that can not be seen',
      { request: { method: 'clear' }, server: { method: 'md5' } },
    ],
  ])('with %s for %s', async (code, _, given) => {
    expect(await refusal(prepare(given))).toMatchObject({ code });
  });

  it('by createSecret too, as far as its login shows it', () => {
    const session = new FakeSession();
    const refused =
      (server: Partial<ServerTraits>, hashing: 'client' | 'server' = 'client') =>
      () =>
        needChangeable(session, { ...SERVER, ...server }, hashing);
    expect(refused({ iterations: 1_000_000 })).not.toThrow();
    expect(refused({ iterations: 1_000_001 })).toThrow(expect.objectContaining({ code: 'SCRAM_ITERATIONS_TOO_HIGH' }));
    expect(refused({ mayUseTemp: false })).not.toThrow();
    expect(refused({ mayUseTemp: false }, 'server')).toThrow(
      expect.objectContaining({ code: 'PASSWORD_WOULD_BE_LOGGED' }),
    );
    session.request = { method: 'clear' };
    expect(refused({ method: 'md5' })).toThrow(expect.objectContaining({ code: 'PASSWORD_FORM_UNKNOWN' }));
  });
});
