/**
 * The four steps of a rotation, in order. Start reading here.
 *
 *   createSecret   make the new credential and store it as AWSPENDING
 *   setSecret      make the database accept it
 *   testSecret     log in with it
 *   finishSecret   move AWSCURRENT to it
 *
 * Every step may run again, alone or beside itself, after a crash at any point. What holds at every moment: each
 * password that a rotation has set is stored in some version of the secret.
 */
import { setTimeout as sleepFor } from 'node:timers/promises';
import { type CredentialSource, RotationError } from '../errors.ts';
import { judgingOwn, needMadeOf, needUnedited } from './comparison.ts';
import { labelMoved, passwordNotAccepted } from './credential-errors.ts';
import type { Step } from './event.ts';
import { hasPendingValue, keptCopies, storeNewValue } from './new-value.ts';
import { isServiceAway, Patience, passesByItself, type Waited } from './patience.ts';
import type { Credential, SecretDescription } from './ports.ts';
import { storedForScram } from './recent-logins.ts';
import { editsCurrent, givingUpFirst, needsNewValue } from './remedies.ts';
import { contextOf, contextOfChange, type StepInput, type StepWork } from './step-context.ts';
import {
  DISAGREEING,
  mayBeBehind,
  pendingOf,
  readCurrent,
  readDescribed,
  readGuarded,
  readPending,
  verdictOn,
} from './version-read.ts';
import { decide, needUnmanaged, versionWith } from './version-stage.ts';

export type { StepInput } from './step-context.ts';

/** What a step did, for the log. */
export interface StepReport {
  readonly outcome: 'done' | 'already-done' | 'already-current';
  /** The credential that the database accepted, where the step logged in. */
  readonly credential?: CredentialSource;
  /** Whether setSecret has moved AWSCURRENT, which finishSecret then need not do. */
  readonly promoted?: boolean | undefined;
  /** What an operator should know though all went well. */
  readonly notice?: string | undefined;
  /** What it has waited for, and how long. */
  readonly waited?: Waited | undefined;
}

/** Whether the step is the one that moved AWSCURRENT, so that a rotation counts once. */
export function countsRotation(step: Step, { outcome, promoted }: Pick<StepReport, 'outcome' | 'promoted'>): boolean {
  return promoted === true || (step === 'finishSecret' && outcome === 'done');
}

/** What of a step's time, in ms, another try must leave for what comes after it: in setSecret, the way back too. */
const RESERVES: Readonly<Record<Step, number>> = {
  createSecret: 2_000,
  setSecret: 8_000,
  testSecret: 1_000,
  finishSecret: 2_000,
};
/** Of a step's time at most so much is kept for that, where the function has a short time-out. */
const SHARE_OF_RESERVE = 5 / 8;
/** Of setSecret's no less: with hardly more left a change is not begun, and another try would only log in. */
const LEAST_FOR_CHANGE = 5_000;
/** How often setSecret reads and compares, because AWSCURRENT has moved meanwhile or an answer is a moment behind. */
const MOVES = 4;
/** Pause after the first of these, in ms; the next ones take twice as long each. */
const MOVED_PAUSE = 100;

const WORK: Readonly<Record<Step, (input: StepWork) => Promise<StepReport>>> = {
  createSecret,
  setSecret,
  testSecret,
  finishSecret,
};

/** Runs the event's step, unless the guard says that there is nothing (left) to do. @throws RotationError */
export async function runStep(input: StepInput): Promise<StepReport> {
  const { event, deadline, sleep = sleepFor } = input;
  const share = Math.max(deadline.remaining() * SHARE_OF_RESERVE, event.step === 'setSecret' ? LEAST_FOR_CHANGE : 0);
  const reserve = Math.min(RESERVES[event.step], share);
  const patience = new Patience(deadline, reserve, sleep);
  try {
    const refused = new Set<string>();
    const work = () => WORK[event.step]({ ...input, sleep, patience, refused });
    const report = await patience.patiently(work, isServiceAway);
    return patience.waited === undefined ? report : { ...report, waited: patience.waited };
  } catch (error) {
    if (!(error instanceof RotationError)) throw error;
    const isAboutValue = editsCurrent(error) || needsNewValue(error);
    const mayBeInForce = input.strategy.name === 'single-user' && ['testSecret', 'finishSecret'].includes(event.step);
    const told = isAboutValue && (await mayHavePendingValue(input)) ? givingUpFirst(error, mayBeInForce) : error;
    throw patience.waited === undefined ? told : told.afterWaiting(patience.waited.ms, patience.waited.for);
  }
}

/** Only createSecret may find none. */
async function mayHavePendingValue(input: StepInput): Promise<boolean> {
  return input.event.step !== 'createSecret' || (await hasPendingValue(input));
}

async function createSecret(input: StepWork): Promise<StepReport> {
  const { store, strategy } = input;
  const began = performance.now();
  const reading = readCurrent(store);
  const state = await guarded(input, [reading]);
  if (state === 'already-current') return { outcome: state };
  needUnmanaged(state);
  const current = await readDescribed(input, state, await reading);
  if (current === undefined) throw labelMoved();
  if (current === 'already-current') return { outcome: current };
  const username = await strategy.nextUsername(current, contextOf(input, judgingOwn(input, current)));
  const later = await guardedSince(input, began, current.versionId);
  if (later !== undefined) return { outcome: later };
  const stored = await storeNewValue(input, current, username);
  if (stored === 'stored') return { outcome: 'done', ...keptCopies(input, current) };
  // A version that has a value keeps it: an earlier attempt made it, and the database may know it already.
  const pending = await readGuarded(input);
  if (pending === 'already-current') return { outcome: pending };
  await needMadeOf(input, current, pending);
  return { outcome: 'already-done' };
}

async function setSecret(input: StepWork): Promise<StepReport> {
  const { event, store, strategy, superusers, recentLogins } = input;
  let isGuarded = false;
  const onGuarded = () => {
    isGuarded = true;
  };
  // Whatever this instance has proven, it begins anew: passwords are about to go.
  const latest = recentLogins.latest(event.secretArn);
  recentLogins.forget(event.secretArn, event.versionId);
  const attempt = async (): Promise<StepReport> => {
    const superuserSecretArn = latest?.superuserSecretArn;
    const readingAhead = superuserSecretArn === undefined ? undefined : superusers.ahead?.(superuserSecretArn);
    const reading = inOrder([readCurrent(store), readPending(input)]);
    await Promise.allSettled([reading, readingAhead]);
    const [current, pending] = await reading;
    const context = contextOfChange(input, current, pending, { latest, onGuarded });
    await needMadeOf(input, current, pending, context);
    const { proven, ...applied } = await strategy.applyPending(context);
    if (proven) {
      const { scram } = recentLogins.get(event.secretArn, current.versionId) ?? { scram: true };
      const proof = { comparedWith: current.versionId };
      recentLogins.add(event.secretArn, event.versionId, { source: 'pending', scram, proof });
    }
    recentLogins.keepOnly(event.secretArn, [current.versionId, event.versionId]);
    return applied;
  };
  try {
    for (let moves = 1; ; moves++) {
      try {
        return await attempt();
      } catch (error) {
        const isOld = error instanceof RotationError && (error.code === 'LABEL_MOVED' || mayBeBehind(error));
        if (!isOld || moves === MOVES) throw error;
      }
      await input.sleep(MOVED_PAUSE * 2 ** (moves - 1));
    }
  } catch (error) {
    // Before anything is said of credentials: is this still a rotation that is wanted?
    const isKnown = isGuarded && input.patience.waited === undefined;
    const state = isKnown ? undefined : await store.describe().catch(unlessOfSecret);
    if (state !== undefined && decide(state, event.versionId) === 'already-current')
      return { outcome: 'already-current' };
    throw error;
  }
}

/** What is wrong with the secret itself counts before what followed from it; that nobody answered does not. */
function unlessOfSecret(error: unknown): undefined {
  if (error instanceof RotationError && !error.code.startsWith('SECRET_')) return undefined;
  throw error;
}

async function testSecret(input: StepWork): Promise<StepReport> {
  const { event, store, recentLogins } = input;
  // Proven by this very instance's setSecret, under the lock.
  if (recentLogins.get(event.secretArn, event.versionId)?.proof?.comparedWith !== undefined)
    return { outcome: 'done', credential: 'pending' };
  const reading = store.read(pendingOf(event.versionId));
  const state = await guarded(input, [reading]);
  if (state === 'already-current') return { outcome: state };
  const pending = await readGuarded(input, reading);
  if (pending === 'already-current') return { outcome: pending };
  await testPending(input, pending, versionWith(state.stages, 'AWSCURRENT'));
  return { outcome: 'done', credential: 'pending' };
}

async function finishSecret(input: StepWork): Promise<StepReport> {
  const { event, store, recentLogins } = input;
  const began = performance.now();
  const proof = recentLogins.get(event.secretArn, event.versionId)?.proof;
  const isCompared = proof?.comparedWith !== undefined;
  const readBoth = () => ({ current: readCurrent(store), pending: store.read(pendingOf(event.versionId)) });
  const ahead = isCompared ? undefined : readBoth();
  const state = await guarded(input, Object.values(ahead ?? {}));
  if (state === 'already-current') return { outcome: state };
  let currentId = versionWith(state.stages, 'AWSCURRENT');
  // An untested password is never promoted, nor one over a version that it was not made of: the steps may come out of
  // order, or to an instance that has tested nothing, and AWSCURRENT may have been edited meanwhile.
  if (!isCompared || proof.comparedWith !== currentId) {
    const reading = ahead ?? readBoth();
    reading.pending.catch(() => undefined);
    const current = await readDescribed(input, state, await reading.current);
    if (current === undefined) throw labelMoved();
    if (current === 'already-current') return { outcome: current };
    currentId = current.versionId;
    const pending = await readGuarded(input, reading.pending);
    if (pending === 'already-current') return { outcome: pending };
    await needUnedited(input, current, pending, proof?.comparedWith);
    await needMadeOf(input, current, pending);
    if (proof === undefined || isCompared || proof.besides !== currentId) {
      await testPending(input, pending, currentId);
      const later = await guardedSince(input, began, currentId);
      if (later !== undefined) return { outcome: later };
    }
  }
  const moved = await store.promotePending(currentId);
  if (moved === 'promoted') return { outcome: 'done' };

  // The label was not where it had been: another finishSecret was faster, or somebody else moved it.
  for (const pause of DISAGREEING) {
    const now = await store.describe();
    if (decide(now, event.versionId) === 'already-current')
      return { outcome: moved === 'moved-before' ? 'done' : 'already-current' };
    if (versionWith(now.stages, 'AWSCURRENT') !== currentId) break;
    await input.sleep(pause);
  }
  throw labelMoved();
}

/**
 * Asks the guard's question; the verdict comes first, whatever came of what was sent meanwhile.
 *
 * @param reading what the step needs if the guard lets it. Nothing is left on the way when a step ends.
 */
async function guarded(
  input: StepWork,
  reading: readonly Promise<unknown>[],
): Promise<SecretDescription | 'already-current'> {
  const [described] = await Promise.allSettled([input.store.describe(), ...reading]);
  if (described.status === 'rejected') throw described.reason;
  return await verdictOn(input, described.value);
}

/** What the guard has said counts for so long, in ms. */
const GUARD_COUNTS_FOR = 5_000;

/** Asks the guard again where the step has waited since it began, and whether the version is AWSCURRENT still. */
async function guardedSince(
  input: StepWork,
  began: number,
  currentId: string | undefined,
): Promise<'already-current' | undefined> {
  if (input.patience.waited === undefined && performance.now() - began < GUARD_COUNTS_FOR) return undefined;
  const state = await guarded(input, []);
  if (state === 'already-current') return state;
  if (versionWith(state.stages, 'AWSCURRENT') !== currentId) throw labelMoved();
  return undefined;
}

/** Awaits two; where both fail, the first one's failure is what is told. */
async function inOrder<A, B>(both: readonly [Promise<A>, Promise<B>]): Promise<[A, B]> {
  await Promise.allSettled(both);
  return [await both[0], await both[1]];
}

/** @param besides the id of the version that is AWSCURRENT meanwhile. */
async function testPending(input: StepWork, pending: Credential, besides: string | undefined): Promise<void> {
  const { event, strategy, database, recentLogins, patience } = input;
  let mayLag: Promise<boolean> | undefined;
  const { scram } = await patience.patiently(
    async () => {
      const outcome = await database.withLogin(pending, async (roles) => ({
        holds: await strategy.verify(roles, pending, database),
        scram: storedForScram(roles.request),
      }));
      if (outcome.accepted && outcome.value.holds) return outcome.value;
      throw passwordNotAccepted(pending, strategy.whenPendingIsRefused);
    },
    async (error) => {
      if (error.code !== 'PASSWORD_NOT_ACCEPTED') return passesByItself(error);
      // A password that was set on a primary is on its way to its replica. No login is made before that is known.
      mayLag ??= patience.patiently(() => strategy.mayLag(pending, contextOf(input)), isServiceAway);
      return await mayLag;
    },
  );
  const proof = { comparedWith: undefined, besides };
  recentLogins.add(event.secretArn, event.versionId, { source: 'pending', scram, proof });
}
