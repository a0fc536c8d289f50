/**
 * The four steps of a rotation, in order. Start reading here.
 *
 *   createSecret   make the new credential and store it as AWSPENDING
 *   setSecret      make the database accept it
 *   testSecret     log in with it
 *   finishSecret   move AWSCURRENT to it
 *
 * Every step may run again, alone or beside itself, after a crash at any point. What holds at every moment: each
 * password that the database accepts is stored in some version of the secret.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Deadline } from '../deadline.ts';
import { type CredentialSource, RotationError } from '../errors.ts';
import { differences } from '../secret/copies.ts';
import type { Password } from '../secret/password.ts';
import { labelMoved, passwordNotAccepted, pendingMismatch } from './credential-errors.ts';
import type { RotationEvent, Step } from './event.ts';
import { hasPendingValue, keptCopies, storeNewValue } from './new-value.ts';
import type {
  Credential,
  RoleDatabase,
  SecretDescription,
  SecretStore,
  SuperuserSecrets,
  WhichVersion,
} from './ports.ts';
import type { RecentLogins } from './recent-logins.ts';
import { isSamePassword } from './recovery.ts';
import { editsCurrent, givingUpFirst, needsNewValue } from './remedies.ts';
import type { RotationStrategy, SetSecretContext, StrategyContext } from './strategy.ts';
import {
  CURRENT,
  earlierCredentials,
  pendingOf,
  readCurrent,
  readDescribed,
  readPending,
  tryRead,
} from './version-read.ts';
import { decide, versionWith } from './version-stage.ts';

/** What a rotation step works with. */
export interface StepInput {
  readonly event: RotationEvent;
  readonly strategy: RotationStrategy;
  readonly store: SecretStore;
  readonly superusers: SuperuserSecrets;
  readonly database: RoleDatabase;
  /** Of this instance, with any version. */
  readonly logins: RecentLogins;
  readonly deadline: Deadline;
  newPassword(): Password;
  /** The secret's keys whose copies of the login are rewritten with it; none unless given. */
  readonly connectionStringKeys?: readonly string[];
}

/** What a step did, for the log. */
export interface StepReport {
  readonly outcome: 'done' | 'already-done' | 'already-current';
  /** The credential that the database accepted, where the step logged in. */
  readonly credential?: CredentialSource;
  /** What an operator should know though all went well. */
  readonly notice?: string;
}

/** How long to wait, in ms, before a password that is on its way to a replica is tried again. */
const REPLICATION_PAUSE = 500;
/** How often setSecret begins anew because AWSCURRENT has moved meanwhile. */
const MOVES = 4;
/** Pause before the first of these, in ms; the next ones take twice as long each. */
const MOVED_PAUSE = 100;

const WORK: Readonly<Record<Step, (input: StepInput) => Promise<StepReport>>> = {
  createSecret,
  setSecret,
  testSecret,
  finishSecret,
};

/** Runs the event's step, unless the guard says that there is nothing (left) to do. @throws RotationError */
export async function runStep(input: StepInput): Promise<StepReport> {
  try {
    return await WORK[input.event.step](input);
  } catch (error) {
    if (!(error instanceof RotationError && (editsCurrent(error) || needsNewValue(error)))) throw error;
    throw (await mayHavePendingValue(input)) ? givingUpFirst(error) : error;
  }
}

/** Only createSecret may find none. */
async function mayHavePendingValue(input: StepInput): Promise<boolean> {
  return input.event.step !== 'createSecret' || (await hasPendingValue(input));
}

async function createSecret(input: StepInput): Promise<StepReport> {
  const { store, strategy } = input;
  const state = await guarded(input, [CURRENT]);
  if (state === 'already-current') return { outcome: state };
  const current = await readDescribed(store, state);
  if (current === undefined) throw labelMoved();
  const username = await strategy.nextUsername(current, contextOf(input, current));
  const stored = await storeNewValue(input, current, username);
  if (stored === 'stored') return { outcome: 'done', ...keptCopies(input, current) };
  // A version that has a value keeps it: an earlier attempt made it, and the database may know it already.
  await needMadeOf(input, current, await readPending(store));
  return { outcome: 'already-done' };
}

async function setSecret(input: StepInput): Promise<StepReport> {
  const { event, store, strategy, logins } = input;
  let isGuarded = false;
  const onGuarded = () => {
    isGuarded = true;
  };
  // Whatever this instance has proven, it begins anew: passwords are about to go.
  const remembered = logins.latest(event.secretId);
  logins.forget(event.secretId, event.token);
  const attempt = async (): Promise<StepReport | 'moved'> => {
    await store.readAhead([CURRENT, pendingOf(event.token)]);
    const [current, pending] = await Promise.all([readCurrent(store), readPending(store)]);
    const context = changeContext(input, current, pending, { remembered, onGuarded });
    try {
      await needMadeOf(input, current, pending, context);
      const { outcome, credential, proven, notice } = await strategy.applyPending(context);
      if (proven) {
        const scram = logins.get(event.secretId, current.versionId)?.scram ?? true;
        const proof = { comparedWith: current.versionId };
        logins.add(event.secretId, event.token, { source: 'pending', scram, proof });
      }
      logins.keepOnly(event.secretId, [current.versionId, event.token]);
      return { outcome, credential, ...(notice === undefined ? {} : { notice }) };
    } catch (error) {
      if (error instanceof RotationError && error.code === 'LABEL_MOVED') return 'moved';
      throw error;
    }
  };
  try {
    for (let moves = 0; moves < MOVES; moves++) {
      const report = await attempt();
      if (report !== 'moved') return report;
      await sleep(MOVED_PAUSE * 2 ** moves);
    }
    throw labelMoved();
  } catch (error) {
    // Before anything is said of credentials: is this still a rotation that is wanted?
    const state = isGuarded ? undefined : await store.describe().catch(unlessOfSecret);
    if (state !== undefined && decide(state, event.token) === 'already-current') return { outcome: 'already-current' };
    throw error;
  }
}

/** What is wrong with the secret itself counts before what followed from it; that nobody answered does not. */
function unlessOfSecret(error: unknown): undefined {
  if (error instanceof RotationError && !error.code.startsWith('SECRET_')) return undefined;
  throw error;
}

async function testSecret(input: StepInput): Promise<StepReport> {
  const { event, logins } = input;
  // Proven by this very instance's setSecret, under the lock.
  if (logins.get(event.secretId, event.token)?.proof?.comparedWith !== undefined)
    return { outcome: 'done', credential: 'pending' };
  const state = await guarded(input, [pendingOf(event.token)]);
  if (state === 'already-current') return { outcome: state };
  await testPending(input, await readPending(input.store));
  return { outcome: 'done', credential: 'pending' };
}

async function finishSecret(input: StepInput): Promise<StepReport> {
  const { event, store, logins } = input;
  const proof = logins.get(event.secretId, event.token)?.proof;
  const isCompared = proof?.comparedWith !== undefined;
  const state = await guarded(input, isCompared ? [] : [CURRENT, pendingOf(event.token)]);
  if (state === 'already-current') return { outcome: state };
  let currentId = versionWith(state.stages, 'AWSCURRENT');
  // An untested password is never promoted, nor one over a version that it was not made of: the steps may come out of
  // order, or to an instance that has tested nothing, and AWSCURRENT may have been edited meanwhile.
  if (!isCompared || proof.comparedWith !== currentId) {
    const current = await readDescribed(store, state);
    if (current === undefined) throw labelMoved();
    currentId = current.versionId;
    const pending = await readPending(store);
    await needUnedited(input, current, pending, proof?.comparedWith);
    await needMadeOf(input, current, pending);
    if (proof === undefined || isCompared) await testPending(input, pending);
  }
  const moved = await store.promotePending(currentId);
  if (moved === 'promoted') return { outcome: 'done' };

  // The label was not where it had been: another finishSecret was faster, or somebody else moved it.
  if (decide(await store.describe(), event.token) === 'already-current') return { outcome: 'already-current' };
  throw labelMoved();
}

/**
 * Asks the guard's question and, meanwhile, reads what the step needs if the guard lets it; the verdict comes first all the
 * same.
 */
async function guarded(
  { event, store }: StepInput,
  reads: readonly WhichVersion[],
): Promise<SecretDescription | 'already-current'> {
  const reading = store.readAhead(reads);
  const state = await store.describe().finally(() => reading);
  return decide(state, event.token) === 'already-current' ? 'already-current' : state;
}

/**
 * The pending version has to be what createSecret makes of the current one. Where it is not, somebody has edited one of
 * the two: nobody's edit is undone, and AWSCURRENT is kept working.
 *
 * @throws RotationError PENDING_MISMATCH
 */
async function needMadeOf(
  input: StepInput,
  current: Credential,
  pending: Credential,
  context: SetSecretContext = changeContext(input, current, pending),
): Promise<void> {
  let mismatch: RotationError | undefined;
  try {
    input.strategy.needPendingUser(current, pending);
  } catch (error) {
    if (!(error instanceof RotationError)) throw error;
    mismatch = error;
  }
  const keys = differences(current.secret, pending.secret);
  if (mismatch === undefined && keys.length === 0) return;
  // What was read may be older than what is current: then it is read again, and compared anew.
  const { stages } = await input.store.describe();
  if (versionWith(stages, 'AWSCURRENT') !== current.versionId) throw labelMoved();
  const needed =
    mismatch === undefined
      ? `what createSecret makes of the current one, which differs from it in ${keys.map((key) => `"${key}"`).join(', ')}`
      : undefined;
  const works = await input.strategy.keepCurrentWorking(context);
  if (needed !== undefined) throw pendingMismatch(pending, needed, works);
  throw mismatch;
}

/** An edit of the password alone is nothing that a comparison shows: this instance knows which version it compared. */
async function needUnedited(
  input: StepInput,
  current: Credential,
  pending: Credential,
  comparedWith: string | undefined,
): Promise<void> {
  if (comparedWith === undefined || comparedWith === current.versionId) return;
  const compared = await tryRead(input.store, 'previous', { versionId: comparedWith });
  if (compared !== undefined && isSamePassword(compared, current)) return;
  const works = await input.strategy.keepCurrentWorking(changeContext(input, current, pending));
  throw pendingMismatch(pending, 'made of the version that is AWSCURRENT now, whose password was edited', works);
}

async function testPending(input: StepInput, pending: Credential): Promise<void> {
  const { event, strategy, database, logins, deadline } = input;
  const login = async () => {
    const outcome = await database.withLogin(pending, async (roles) => ({
      holds: await strategy.verify(roles, pending, database),
      scram: roles.request?.method === 'scram-sha-256',
    }));
    return outcome.accepted && outcome.value.holds ? outcome.value : undefined;
  };
  let outcome = await login();
  if (outcome === undefined && (await strategy.mayLag(pending, contextOf(input, pending)))) {
    while (outcome === undefined && deadline.remaining() > 2 * REPLICATION_PAUSE) {
      await sleep(REPLICATION_PAUSE);
      outcome = await login();
    }
  }
  if (outcome === undefined) throw passwordNotAccepted(pending, strategy.whenPendingIsRefused);
  logins.add(event.secretId, event.token, {
    source: 'pending',
    scram: outcome.scram,
    proof: { comparedWith: undefined },
  });
}

function contextOf(input: StepInput, current: Credential): StrategyContext {
  const { event, store, database, superusers, logins, deadline } = input;
  return {
    withLogin: database.withLogin,
    tryPassword: database.tryPassword,
    deadline,
    superusers,
    proven: {
      get: ({ versionId }) => logins.get(event.secretId, versionId),
      add: ({ versionId, source }, { scram }) => logins.add(event.secretId, versionId, { source, scram }),
      remove: ({ versionId }) => logins.forget(event.secretId, versionId),
    },
    earlier: earlierCredentials(store, event.token, async (own) => {
      if (event.step === 'createSecret') await needMadeOf(input, current, own);
    }),
  };
}

interface ChangeOptions {
  /** The version that this instance has logged in with last. */
  readonly remembered?: ReturnType<RecentLogins['latest']>;
  /** Hears that the guard was asked. */
  readonly onGuarded?: () => void;
}

function changeContext(
  input: StepInput,
  current: Credential,
  pending: Credential,
  { remembered, onGuarded = () => {} }: ChangeOptions = {},
): SetSecretContext {
  const { event, store } = input;
  return {
    ...contextOf(input, current),
    current,
    pending,
    async guard() {
      const state = await store.describe();
      const verdict = decide(state, event.token);
      onGuarded();
      if (verdict === 'proceed' && versionWith(state.stages, 'AWSCURRENT') !== current.versionId) throw labelMoved();
      return verdict;
    },
    async remembered() {
      if (remembered === undefined || remembered.versionId === current.versionId) return undefined;
      if (remembered.versionId === pending.versionId) return pending;
      return await tryRead(store, remembered.source, { versionId: remembered.versionId });
    },
    async whereabouts() {
      const { stages } = await store.describe();
      const ids = [versionWith(stages, 'AWSCURRENT'), versionWith(stages, 'AWSPENDING')];
      const others = ids.filter((id) => id !== undefined && ![event.token, current.versionId].includes(id));
      const read = await Promise.all(others.map((versionId = '') => tryRead(store, 'current', { versionId })));
      return { promoted: ids[0] === event.token, others: read.filter((version) => version !== undefined) };
    },
  };
}
