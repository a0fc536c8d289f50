import { afterAll, describe, expect, test } from 'vitest';
import { waitFor } from '../../../scripts/lab/database/wait.ts';
import { STEPS } from '../../../shared/rotation/event.ts';
import { type HeldRotation, HeldWays, type Hold, holdAt } from '../../support/held-rotation.ts';
import { newestVersion, roleScope, sharedServer } from '../../support/postgres.ts';
import { TestAccount } from '../../support/test-account.ts';
import type { StepResult } from '../../support/test-secret.ts';

/*
 * A's setSecret is held at each of its moments in turn, B does what it does, and A goes on. 0.1.0 and versions that only
 * lock, or only guard, leave AWSCURRENT refused in some of these; see the schedules.
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

/** Before each message of the function, and before the answers that change what it knows. */
const POINTS = (await ways.pointsOf(['createSecret', 'setSecret'], ['setSecret'])).filter((point) =>
  /connect$| > |Secret|Authentication 0|CommandComplete (ALTER|DO|COMMIT)|ReadyForQuery$/.test(point.slice(11)),
);

/** What happens while A is held; it may release A. @returns the token that is to be current at the end. */
type Schedule = (held: HeldRotation, hold: Hold, token: string) => Promise<string>;

/** The service has given up waiting for A, and calls the steps again. */
const sameToken =
  (how: 'pass' | 'cut'): Schedule =>
  async (held, hold, token) => {
    const b = held.inTurn('b', token, STEPS);
    await held.untilItWaits(b);
    hold.release(how);
    await expectDone(b);
    return token;
  };

const SCHEDULES: [string, Schedule][] = [
  ['B takes the rotation to its end, where A lets it, and A goes on', sameToken('pass')],
  ['B does so, and A loses its connection', sameToken('cut')],
  [
    'the server ends A’s sessions, B takes the rotation to its end, and A goes on',
    async (held, hold, token) => {
      await held.endSessions();
      await expectDone(held.inTurn('b', token, STEPS));
      hold.release();
      return token;
    },
  ],
  [
    'the rotation is given up, B makes another, and A goes on',
    async (held, hold, token) => {
      const { secret } = held.here;
      await secret.unlabel('AWSPENDING', token);
      return await another(held, hold);
    },
  ],
  [
    'the same, and AWSCURRENT names another database by then',
    async (held, hold, token) => {
      const { secret } = held.here;
      await secret.unlabel('AWSPENDING', token);
      // Advisory locks are per database; what keeps B from overtaking A is the role's row.
      await secret.put({ dbname: OTHER });
      return await another(held, hold);
    },
  ],
];

async function another(held: HeldRotation, hold: Hold): Promise<string> {
  const next = await held.here.secret.begin();
  const b = held.inTurn('b', next, STEPS);
  await held.untilItWaits(b);
  hold.release();
  await expectDone(b);
  return next;
}

async function expectDone(work: Promise<StepResult>): Promise<void> {
  expect(await work).toMatchObject({
    step: 'finishSecret',
    outcome: expect.stringMatching(/^(done|already-current)$/),
  });
}

/** The soak run tries every schedule at every point; `npm test` two at each, in turn. */
const isSoak = process.env.SOAK_MINUTES !== undefined;

/** @returns undefined where A has passed the point by. */
async function holdAndSee(point: string, schedule: Schedule): Promise<true | undefined> {
  await using held = await ways.arrange();
  const { secret } = held.here;
  const token = await secret.begin();
  await held.a('createSecret', token);

  const hold = holdAt(point, held.step);
  held.gate = hold;
  const a = held.a('setSecret', token);
  if (!(await held.isHeld(hold, a))) return undefined;
  const last = await schedule(held, hold, token);
  const { outcome, error_code = '' } = await a;

  expect(await secret.labels()).toMatchObject({ AWSCURRENT: last });
  expect(await held.wrong()).toEqual([]);
  // A typed end; and nothing is claimed of a rotation that was given up.
  const givenUp = last === token ? '' : '|PENDING_MISMATCH';
  const ends = new RegExp(`^(DATABASE_|VERSION_|SECRETS_MANAGER_|ROLE_BUSY|LABEL_MOVED${givenUp})`);
  if (outcome === 'failed') expect(error_code).toMatch(ends);
  expect(outcome).not.toBe('crashed');

  // A's other steps, late, change nothing either.
  await held.inTurn('a', token, ['testSecret', 'finishSecret']);
  expect(await secret.labels()).toMatchObject({ AWSCURRENT: last });
  expect(await held.wrong()).toEqual([]);
  return true;
}

describe.each(Array.from(SCHEDULES.entries()))('schedule %i', (number, [what, schedule]) => {
  const mine = POINTS.filter((_, index) => isSoak || [0, 2].includes((index + number) % SCHEDULES.length));
  test.each(mine)(`A is held at %s; ${what}`, async (point) => {
    await waitFor('A to come to the point', () => holdAndSee(point, schedule));
  });
});

test('testSecret that has waited for A, and can not see what A has left, does not take it for proven', async () => {
  await using held = await ways.arrange();
  const token = await held.here.secret.begin();
  await held.a('createSecret', token);
  const proving = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  let isOver = false;
  let isCut = false;
  held.gate = {
    reach: async (label) => {
      const [, session] = /^session (\d+), connect$/.exec(label) ?? [];
      // A's first and B's first; once A is over, all but one.
      if (session === undefined || session === '1' || session === '3' || (isOver && isCut)) return 'pass';
      if (session === '2') {
        proving.resolve();
        await goOn.promise;
      }
      isCut = isOver;
      return 'cut';
    },
  };
  const a = held.a('setSecret', token);
  await proving.promise;
  const b = held.b('testSecret', token);
  await held.untilItWaits(b);
  goOn.resolve();
  expect(await a).toMatchObject({ outcome: 'failed', error_code: 'PASSWORD_PUT_BACK' });
  isOver = true;

  expect(await b).toMatchObject({ outcome: 'failed', error_code: 'PASSWORD_NOT_ACCEPTED' });
  expect(await held.b('finishSecret', token)).toMatchObject({ outcome: 'failed' });
  expect(await held.wrong()).toEqual([]);
  expect((await held.here.secret.labels()).AWSCURRENT).not.toBe(token);
});
