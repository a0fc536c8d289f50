/**
 * A stack that is upgraded, or taken back, in mid-rotation: the steps before the change are those of 0.1.0's own
 * functions and the steps after it this version's, or the other way round.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { STEPS, type Step } from '../../../shared/rotation/event.ts';
import { arrange } from '../../support/arrangement.ts';
import { accepted, expectWorking } from '../../support/login-proof.ts';
import { canLogin, roleScope, sharedServer } from '../../support/postgres.ts';
import { functionsOf010, type ReleasedFunctions } from '../../support/release-0-1-0.ts';
import { TestAccount } from '../../support/test-account.ts';
import type { FunctionChoice, TestSecret } from '../../support/test-secret.ts';
import { twins } from '../../support/twins.ts';

let account: TestAccount;
let released: ReleasedFunctions;
beforeAll(async () => {
  released = await functionsOf010();
  account = await TestAccount.open();
});
afterAll(async () => {
  await account[Symbol.asyncDispose]();
  await released[Symbol.asyncDispose]();
});

type Strategy = FunctionChoice['strategy'];
type Release = '0.1.0' | 'this version';

const functionOf = (release: Release, strategy: Strategy): Partial<FunctionChoice> =>
  release === '0.1.0' ? { bundle: released.bundleOf(strategy) } : {};

/** One rotation whose steps after `last` are those of another release. */
async function rotateAcross(secret: TestSecret, strategy: Strategy, [before, after]: readonly Release[], last: Step) {
  const token = await secret.begin();
  const changed = STEPS.indexOf(last);
  for (const [index, step] of STEPS.entries()) {
    const by = functionOf((index <= changed ? before : after) ?? 'this version', strategy);
    const ended = await secret.step(step, token, by);
    expect(ended, JSON.stringify(ended)).toMatchObject({
      step,
      outcome: expect.stringMatching(/^(?:already-)?done$/),
    });
  }
  expect((await secret.labels()).AWSCURRENT).toBe(token);
}

const WAYS: readonly (readonly Release[])[] = [
  ['0.1.0', 'this version'],
  ['this version', '0.1.0'],
];
const changes = WAYS.flatMap((way) => STEPS.slice(0, -1).map((last) => ({ way, from: way[0], to: way[1], last })));

describe.each(changes)('after $last, from $from to $to', ({ way, last }) => {
  test('single user ends with the new password, and the next rotations of either succeed', async () => {
    await using here = await arrange(account, await sharedServer(), { strategy: 'single-user' });
    const { server, role, secret } = here;

    await rotateAcross(secret, 'single-user', way, last);
    const rotated = await secret.password();
    expect(await accepted(server, role, [role.password, rotated])).toEqual([false, true]);
    await expectWorking(here);

    for (const release of way.toReversed()) {
      await rotateAcross(secret, 'single-user', [release, release], 'createSecret');
      await expectWorking(here);
    }
  });

  test('alternating users end with a twin that works, and the next rotations of either succeed', async () => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const app = await twins(account, scope);
    let user = app.base.name;

    for (const [releases, change] of [
      [way, last],
      [way.toReversed(), last],
      ...way.map((release) => [[release, release], last] as const),
    ] as const) {
      const previous = await app.login();
      await rotateAcross(app.secret, 'alternating-users', releases, change);
      user = user === app.base.name ? app.twin : app.base.name;
      expect(await app.identity()).toEqual({ session: user, current: app.base.name });
      expect(await canLogin(server, previous)).toBe('accepted');
    }
  });
});
