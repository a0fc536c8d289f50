import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alternatingUsers } from '../../../shared/rotation/alternating-users.ts';
import { STEPS, type Step } from '../../../shared/rotation/event.ts';
import type { RoleDatabase } from '../../../shared/rotation/ports.ts';
import { singleUser } from '../../../shared/rotation/single-user.ts';
import { FakeRotation, secretText, TOKEN } from '../../support/fake-rotation.ts';
import { failure } from '../../support/fake-server.ts';

const B = 'b'.padEnd(36, '-');
const HAND = 'hand'.padEnd(36, '-');

/** A way to the server on which logins as AWSPENDING get no further: all, or so many. */
const narrow = (times = Number.POSITIVE_INFINITY) => {
  let left = times;
  return (database: RoleDatabase) => narrowed(database, () => left-- > 0);
};

const narrowed = ({ tryPassword }: RoleDatabase, fails: () => boolean): RoleDatabase => {
  const narrowed: RoleDatabase['tryPassword'] = async (credential, work) => {
    if (credential.source === 'pending' && fails()) throw failure('TLS_FAILED');
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
async function attempt(rotation: FakeRotation, token: string, steps: readonly Step[] = STEPS): Promise<void> {
  for (const step of steps) {
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
        if (fails) other.between = narrow();
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
        // A late PutSecretValue would take AWSPENDING from the second one.
        await rotation.step('createSecret');
        scheduled(rotation, scheduler);
        const first = attempt(rotation, TOKEN, STEPS.slice(1));
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

describe('an attempt of one user', () => {
  /** Gets its turn after so many of the schedule. */
  const waits = async (scheduler: fc.Scheduler, turns: number) => {
    for (let turn = 0; turn < turns; turn++) await scheduler.schedule(Promise.resolve(), 'waits');
  };

  it.each([
    ['whose proof is accepted, after AWSPENDING was taken off', 0, true],
    ['whose proof is accepted', 0, false],
    ['whose proof fails, after AWSPENDING was taken off', 1, true],
    ['whose proof fails', 1, false],
  ])(
    '%s, keeps what a person sets in the database and then stores as AWSCURRENT',
    async (_, times, off) => {
      await fc.assert(
        fc.asyncProperty(fc.scheduler(), fc.nat({ max: 25 }), async (scheduler, when) => {
          const rotation = new FakeRotation();
          rotation.between = narrow(times);
          scheduled(rotation, scheduler);
          const person = (async () => {
            // Who does not take AWSPENDING off first has to come after the change: before it, it would be changed over theirs. And
            // who does, after createSecret: its PutSecretValue puts the label back.
            const isLate = () =>
              off ? rotation.secrets.textOf(TOKEN) !== undefined : rotation.server.events.includes('change');
            for (let turn = 0; turn < 60 && !isLate(); turn++) await waits(scheduler, 1);
            await waits(scheduler, when);
            if (rotation.secrets.with('AWSCURRENT') === TOKEN) return;
            if (off) rotation.secrets.label('AWSPENDING');
            await scheduler.schedule(Promise.resolve(), 'sets');
            await rotation.server.setByHand('app', 'by hand');
            await scheduler.schedule(Promise.resolve(), 'stores');
            rotation.secrets.put(HAND, secretText({ password: 'by hand' }), 'AWSCURRENT');
          })();
          await scheduler.waitFor(Promise.all([attempt(rotation, TOKEN), person]));
          expect(rotation.currentIsAccepted).toBe(true);
        }),
        { numRuns: 60, interruptAfterTimeLimit: 20_000 },
      );
    },
    30_000,
  );

  it.each([
    ['gets no answer', Number.POSITIVE_INFINITY],
    ['is answered late', 1],
  ])(
    'whose proof %s, puts nothing back over a rotation that has overtaken it in another database',
    async (_, times) => {
      await fc.assert(
        fc.asyncProperty(fc.scheduler(), fc.nat({ max: 30 }), async (scheduler, when) => {
          const rotation = new FakeRotation();
          const other = rotation.beside();
          // A late PutSecretValue would take AWSPENDING from whatever rotation has it.
          await rotation.step('createSecret');
          rotation.between = narrow(times);
          scheduled(rotation, scheduler);
          let hasBegun = false;
          const second = (async () => {
            await waits(scheduler, when);
            if (rotation.secrets.with('AWSCURRENT') === TOKEN) return;
            rotation.secrets.label('AWSPENDING');
            rotation.edit(HAND, { dbname: 'shop' });
            rotation.begin(B);
            hasBegun = true;
            await attempt(other, B);
          })();
          await scheduler.waitFor(Promise.all([attempt(rotation, TOKEN, STEPS.slice(1)), second]));
          if (hasBegun) await expectMended(other, B);
          else expect(rotation.currentIsAccepted).toBe(true);
        }),
        { numRuns: 60, interruptAfterTimeLimit: 20_000 },
      );
    },
    30_000,
  );

  it.each(
    STEPS.slice(2),
  )('whose proof gets no answer, beside a %s that has proven nothing, locks nobody out', async (step) => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.nat({ max: 25 }), async (scheduler, when) => {
        const rotation = new FakeRotation();
        const other = rotation.beside();
        rotation.between = narrow();
        scheduled(rotation, scheduler);
        const early = (async () => {
          await waits(scheduler, when);
          await other.step(step).catch(() => undefined);
          if (step === 'testSecret') await other.step('finishSecret').catch(() => undefined);
        })();
        await scheduler.waitFor(Promise.all([attempt(rotation, TOKEN), early]));
        await expectMended(rotation, TOKEN);
      }),
      { numRuns: 60, interruptAfterTimeLimit: 20_000 },
    );
  }, 30_000);
});
