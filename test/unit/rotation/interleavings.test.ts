import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alternatingUsers } from '../../../shared/rotation/alternating-users.ts';
import { STEPS } from '../../../shared/rotation/event.ts';
import type { RoleDatabase } from '../../../shared/rotation/ports.ts';
import { singleUser } from '../../../shared/rotation/single-user.ts';
import { FakeRotation, secretText, TOKEN } from '../../support/fake-rotation.ts';
import { failure } from '../../support/fake-server.ts';

const B = 'b'.padEnd(36, '-');
const HAND = 'hand'.padEnd(36, '-');

/** A way to the server on which logins as AWSPENDING, from the second on, get no further. */
const narrow = ({ tryPassword }: RoleDatabase): RoleDatabase => {
  const narrowed: RoleDatabase['tryPassword'] = async (credential, work) => {
    if (credential.source === 'pending') throw failure('TLS_FAILED');
    return await tryPassword(credential, work);
  };
  return {
    tryPassword: narrowed,
    async withLogin(credential, work) {
      const outcome = await narrowed(credential, work);
      if (outcome.accepted === 'without-session') throw outcome.error;
      return outcome;
    },
  };
};

/** What the service does: the steps in order, until one fails. */
async function attempt(rotation: FakeRotation, token: string): Promise<void> {
  for (const step of STEPS) {
    const failed = await rotation.step(step, token).then(
      () => false,
      () => true,
    );
    if (failed) return;
  }
}

/** Everything that the two actors ask of the world happens in the order that the scheduler says. */
function scheduled(rotation: FakeRotation, scheduler: fc.Scheduler): void {
  rotation.secrets.before = (call) => scheduler.schedule(Promise.resolve(), call);
  rotation.server.before = (event) => scheduler.schedule(Promise.resolve(), event);
}

/** A single user's promise: nobody who is at rest is locked out, and what is not yet at rest gets there. */
async function expectMended(rotation: FakeRotation, token: string): Promise<void> {
  rotation.secrets.before = () => {};
  rotation.server.before = () => {};
  if (rotation.secrets.with('AWSCURRENT') === token) {
    expect(rotation.currentIsAccepted).toBe(true);
    return;
  }
  const stored = ['AWSCURRENT', 'AWSPENDING', 'AWSPREVIOUS'].map((label) => rotation.passwordIn(label));
  expect(stored).toContain(rotation.server.passwordOf('app'));
  await attempt(rotation.anew(), token);
  expect(rotation.currentIsAccepted).toBe(true);
}

describe.each([singleUser, alternatingUsers])('two attempts beside each other: $name', (strategy) => {
  it.each([false, true])('of one token, whose proofs fail: %s', async (fails) => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        const rotation = new FakeRotation(strategy);
        const other = rotation.beside();
        if (fails) other.between = narrow;
        scheduled(rotation, scheduler);
        await scheduler.waitFor(Promise.all([attempt(rotation, TOKEN), attempt(other, TOKEN)]));
        await expectMended(rotation, TOKEN);
      }),
      { numRuns: 60, interruptAfterTimeLimit: 20_000 },
    );
  }, 30_000);

  it('of two rotations, of which the first is given up in the middle', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.nat({ max: 30 }), async (scheduler, when) => {
        const rotation = new FakeRotation(strategy);
        const other = rotation.beside();
        scheduled(rotation, scheduler);
        const first = attempt(rotation, TOKEN);
        const second = (async () => {
          // A person takes the label off, and starts another one.
          for (let turn = 0; turn < when; turn++) await scheduler.schedule(Promise.resolve(), 'waits');
          if (rotation.secrets.with('AWSCURRENT') !== TOKEN) rotation.secrets.label('AWSPENDING');
          rotation.begin(B);
          await attempt(other, B);
        })();
        await scheduler.waitFor(Promise.all([first, second]));
        await expectMended(other, B);
      }),
      { numRuns: 60, interruptAfterTimeLimit: 20_000 },
    );
  }, 30_000);
});

describe('an attempt beside a person', () => {
  it('who sets another password in the database and then in AWSCURRENT, keeps that one working', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.nat({ max: 25 }), async (scheduler, when) => {
        const rotation = new FakeRotation();
        scheduled(rotation, scheduler);
        const person = (async () => {
          for (let turn = 0; turn < when; turn++) await scheduler.schedule(Promise.resolve(), 'waits');
          if (rotation.secrets.with('AWSCURRENT') === TOKEN) return;
          rotation.secrets.label('AWSPENDING');
          await scheduler.schedule(Promise.resolve(), 'sets');
          await rotation.server.setByHand('app', 'by hand');
          rotation.secrets.put(HAND, secretText({ password: 'by hand' }), 'AWSCURRENT');
        })();
        await scheduler.waitFor(Promise.all([attempt(rotation, TOKEN), person]));
        expect(rotation.currentIsAccepted).toBe(true);
      }),
      { numRuns: 100, interruptAfterTimeLimit: 20_000 },
    );
  }, 30_000);
});
