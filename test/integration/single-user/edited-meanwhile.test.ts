import { DatabaseError, escapeLiteral } from 'pg';
import { afterAll, describe, expect, test } from 'vitest';
import { waitFor } from '../../../scripts/lab/database/wait.ts';
import { STEPS } from '../../../shared/rotation/event.ts';
import { quoted } from '../../support/arrangement.ts';
import { newPassword } from '../../support/crash/subject.ts';
import { type HeldRotation, HeldWays, holdAt, holdAtProof } from '../../support/held-rotation.ts';
import { newestVersion, roleScope, sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';

/*
 * A's rotation is held at each of its moments in turn, and a person edits AWSCURRENT. 0.1.0 promotes a version that the
 * edit is not in, or leaves AWSCURRENT refused where the edit came between setSecret and finishSecret.
 */
const version = newestVersion();
const account = await TestAccount.open();
const scope = roleScope(await sharedServer(version));
/** A database that AWSCURRENT may name instead. */
const OTHER = await scope.createDatabase('other');
const ways = await HeldWays.open(account, scope.server);
afterAll(async () => {
  await ways[Symbol.asyncDispose]();
  await scope[Symbol.asyncDispose]();
  await account[Symbol.asyncDispose]();
});

const POINTS = (await ways.pointsOf(STEPS)).filter((point) =>
  /connect$| > |Secret|Authentication 0|CommandComplete (ALTER|DO|COMMIT)|ReadyForQuery$/.test(
    point.slice(point.indexOf(': ')),
  ),
);

interface Edit {
  /** Members of AWSCURRENT that must be there at the end: nobody's edit is undone. */
  readonly kept?: Readonly<Record<string, unknown>>;
  readonly make: (held: HeldRotation, password: string) => Promise<unknown>;
  /** The person has made a mistake: AWSCURRENT logs in again only after another rotation. */
  readonly mistake?: boolean;
  /** What the person does afterwards, where the server has that password. */
  readonly mend?: (held: HeldRotation, password: string) => Promise<unknown>;
}

/** Who meets somebody else's change of the role is told so by the server, and tries again. */
async function inServer({ here: { server, role } }: HeldRotation, password: string): Promise<void> {
  await waitFor('the role to be free', async () => {
    try {
      await server.query(`ALTER ROLE ${quoted(role.name)} PASSWORD ${escapeLiteral(password)}`);
      return true;
    } catch (error) {
      if (error instanceof DatabaseError && error.message === 'tuple concurrently updated') return undefined;
      throw error;
    }
  });
}
const inSecret = ({ here: { secret } }: HeldRotation, password: string) => secret.put({ password });

const EDITS: [string, Edit][] = [
  [
    'another password, in the server and then in the secret',
    {
      make: async (held, password) => {
        await inServer(held, password);
        await inSecret(held, password);
      },
    },
  ],
  [
    'another password, in the secret and then in the server',
    {
      make: async (held, password) => {
        await inSecret(held, password);
        await inServer(held, password);
      },
    },
  ],
  ['another password, in the secret only', { make: inSecret, mistake: true }],
  ['another password, in the server only, and later in the secret', { make: inServer, mend: inSecret }],
  ['another dbname', { make: ({ here }) => here.secret.put({ dbname: OTHER }), kept: { dbname: OTHER } }],
  ['another key', { make: ({ here }) => here.secret.put({ note: 'by hand' }), kept: { note: 'by hand' } }],
];

/** The soak run makes every edit at every point; `npm test` one at each, in turn. */
const isSoak = process.env.SOAK_MINUTES !== undefined;

/** @returns undefined where A has passed the point by. */
async function holdAndEdit(point: string, { make, mend, mistake = false, kept = {} }: Edit): Promise<true | undefined> {
  await using held = await ways.arrange();
  const { role, secret } = held.here;
  const password = newPassword();
  const setByHand = [{ username: role.name, password }];
  const token = await secret.begin();

  const hold = holdAt(point, held.step);
  held.gate = hold;
  const a = held.inTurn('a', token, STEPS);
  if (!(await held.isHeld(hold, a))) return undefined;
  const editing = make(held, password);
  await held.untilItWaits(editing);
  hold.release();
  await editing;
  let end = await a;
  // Unless the rotation had only just logged in when the person came, and has replaced that password too.
  if (await held.takes(password)) await mend?.(held, password);
  const check = async (when: string) => expect([when, ...(await held.wrong(setByHand))]).toEqual([when]);

  // The service calls the steps again, in this instance and in another one.
  for (const who of ['a', 'b'] as const) {
    if (end.outcome !== 'failed') break;
    if (end.error_code === 'PENDING_MISMATCH') await check('after a mismatch');
    end = await held.inTurn(who, token, STEPS);
  }
  if (!mistake) await check('at the end');
  if (end.outcome === 'failed') {
    expect(end).toMatchObject({ error_code: 'PENDING_MISMATCH', remedy: expect.stringMatching(/^aws .*AWSPENDING/) });
    await secret.unlabel('AWSPENDING', token);
  }
  if (end.outcome === 'failed' || mistake) {
    expect(await held.inTurn('b', await secret.begin(), STEPS)).toMatchObject({ outcome: 'done' });
    await check('after another rotation');
  }
  expect(JSON.parse(await secret.text())).toMatchObject(kept);
  return true;
}

describe.each([...EDITS.entries()])('edit %i', (number, [what, edit]) => {
  const mine = POINTS.filter(
    (_, index) => isSoak || (index + Math.floor(index / EDITS.length)) % EDITS.length === number,
  );
  test.each(mine)(`${what}, when A is held at %s`, async (point) => {
    await waitFor('A to come to the point', () => holdAndEdit(point, edit));
  });
});

test('another password in the server and in the secret, and from then on no login gets through: it is not put back over it', async () => {
  await using held = await ways.arrange();
  const { role } = held.here;
  const password = newPassword();
  const token = await held.here.secret.begin();
  await held.a('createSecret', token);
  const proving = holdAtProof('cut');
  held.gate = proving;
  const a = held.a('setSecret', token);
  await held.untilHeld(proving, a);
  await inServer(held, password);
  await inSecret(held, password);
  proving.release();

  expect(await a).toMatchObject({
    outcome: 'failed',
    error_code: 'PASSWORD_NOT_ACCEPTED',
    error_message: expect.stringContaining('somebody has set another one'),
  });

  expect(await held.wrong([{ username: role.name, password }])).toEqual([]);
});
