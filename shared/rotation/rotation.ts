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
import { parseDatabaseSecret } from '../secrets/database-secret.ts';
import type { Password } from '../secrets/password.ts';
import type { SecretStore, StoredVersion, WhichVersion } from '../secrets/secret-store.ts';
import { passwordNotAccepted } from './credential-errors.ts';
import { type CredentialLabel, RotationError } from './errors.ts';
import type { RotationEvent, Step } from './event.ts';
import type { RecentLogins } from './recent-logins.ts';
import {
  type Credential,
  type LoginOutcome,
  type RoleDatabase,
  type RotationStrategy,
  type StrategyContext,
  type SuperuserSecrets,
  UNLABELLED_TO_TRY,
} from './strategy.ts';
import { decide, type VersionStages, versionWith } from './version-stage.ts';

/** What a rotation step works with. */
export interface Rotation {
  readonly event: RotationEvent;
  readonly strategy: RotationStrategy;
  readonly store: SecretStore;
  readonly superusers: SuperuserSecrets;
  readonly database: RoleDatabase;
  /** Of this instance, with any version. */
  readonly logins: RecentLogins;
  readonly deadline: Deadline;
  newPassword(): Password;
}

/** What a step did, for the log. */
export interface StepReport {
  readonly outcome: 'done' | 'already-done' | 'already-current';
  /** The credential that the database accepted, where the step logged in. */
  readonly credential?: CredentialLabel;
}

/** How long to wait, in ms, before a password that is on its way to a replica is tried again. */
const REPLICATION_PAUSE = 500;

type StepWork = (rotation: Rotation, stages: VersionStages) => Promise<StepReport>;

const CURRENT: WhichVersion = { stage: 'AWSCURRENT' };

const WORK: Readonly<Record<Step, StepWork>> = { createSecret, setSecret, testSecret, finishSecret };

/** Runs the event's step, unless the guard says that there is nothing (left) to do. @throws RotationError */
export async function runStep(rotation: Rotation): Promise<StepReport> {
  const { event, store } = rotation;
  // Asked together with the guard's question, what the step reads costs one wait less; the verdict comes first all the same.
  const reads = store.readAhead(readsOf(rotation));
  const state = await store.describe().finally(() => reads);
  if (decide(state, event.token) === 'already-current') return { outcome: 'already-current' };
  return await WORK[event.step](rotation, state.stages);
}

/** The versions that the step will read if the guard lets it. */
function readsOf({ event: { step, secretId, token }, logins }: Rotation): readonly WhichVersion[] {
  const pending: WhichVersion = { versionId: token, stage: 'AWSPENDING' };
  switch (step) {
    case 'createSecret':
      return [CURRENT];
    case 'setSecret':
      return [CURRENT, pending];
    case 'testSecret':
      return [pending];
    case 'finishSecret':
      return logins.has(secretId, token) ? [] : [pending];
    default: {
      const never: never = step;
      return never;
    }
  }
}

async function createSecret(rotation: Rotation): Promise<StepReport> {
  const { store, strategy } = rotation;
  const current = await readCurrent(store);
  const username = await strategy.nextUsername(current, contextOf(rotation));
  // A version that has a value keeps it: an earlier attempt made it, and the database may know it already.
  const stored = await store.putPending(current.secret.withCredentials(username, rotation.newPassword()));
  return { outcome: stored === 'stored' ? 'done' : 'already-done' };
}

async function setSecret(rotation: Rotation, stages: VersionStages): Promise<StepReport> {
  const { event, store, strategy, logins } = rotation;
  const [current, pending] = await Promise.all([readCurrent(store), readPending(store)]);
  // Another rotation's version that was tested has lost its password to this one, should its label ever come back.
  logins.keepOnly(event.secretId, current.versionId);
  const credential = await strategy.applyPending({
    ...contextOf(rotation),
    current,
    pending,
    earlier: () => earlierCredentials(store, stages, [current.versionId, event.token]),
  });
  return { outcome: credential === 'pending' ? 'already-done' : 'done', credential };
}

async function testSecret(rotation: Rotation): Promise<StepReport> {
  await testPending(rotation);
  return { outcome: 'done', credential: 'pending' };
}

async function finishSecret(rotation: Rotation, stages: VersionStages): Promise<StepReport> {
  const { event, store, logins } = rotation;
  // An untested password is never promoted: the steps may come out of order, or to an instance that has tested nothing.
  if (!logins.has(event.secretId, event.token)) await testPending(rotation);
  const moved = await store.promotePending(versionWith(stages, 'AWSCURRENT'));
  if (moved === 'promoted') return { outcome: 'done' };

  // The label was not where it had been: another finishSecret was faster, or somebody else moved it.
  if (decide(await store.describe(), event.token) === 'already-current') return { outcome: 'already-current' };
  throw new RotationError(
    'LABEL_MOVED',
    'AWSCURRENT was needed where it was when the step began, and it was moved meanwhile.',
    {
      remedy: 'Nothing needs repair: the service tries the rotation again with the version that is current now.',
    },
  );
}

async function testPending(rotation: Rotation): Promise<void> {
  const { event, store, strategy, database, logins, deadline } = rotation;
  const pending = await readPending(store);
  const login = (): Promise<LoginOutcome<void>> =>
    database.withLogin(pending, (roles) => strategy.verify(roles, pending));
  let outcome = await login();
  if (!outcome.accepted && (await strategy.mayLag(pending, contextOf(rotation)))) {
    while (!outcome.accepted && deadline.remaining() > 2 * REPLICATION_PAUSE) {
      await sleep(REPLICATION_PAUSE);
      outcome = await login();
    }
  }
  if (!outcome.accepted) throw passwordNotAccepted(pending, strategy.whenPendingIsRefused);
  logins.add(event.secretId, event.token);
}

function contextOf({ event, database, superusers, logins }: Rotation): StrategyContext {
  return {
    withLogin: database.withLogin,
    superusers,
    proven: {
      get: ({ versionId }) => logins.get(event.secretId, versionId),
      add: ({ versionId }, login) => logins.add(event.secretId, versionId, login),
    },
  };
}

async function readCurrent(store: SecretStore): Promise<Credential> {
  return credential('current', await store.read(CURRENT));
}

async function readPending(store: SecretStore): Promise<Credential> {
  return credential('pending', await store.readPending());
}

/** Reads one version after the other, as long as the caller wants more. What can't be parsed is no credential. */
async function* earlierCredentials(
  store: SecretStore,
  stages: VersionStages,
  seen: readonly string[],
): AsyncIterable<Credential> {
  const previous = versionWith(stages, 'AWSPREVIOUS');
  if (previous !== undefined && !seen.includes(previous)) yield* tryRead(store, 'previous', previous);
  const { versionIds } = await store.unlabelledVersions();
  for (const versionId of versionIds.slice(0, UNLABELLED_TO_TRY)) yield* tryRead(store, 'unlabelled', versionId);
}

async function* tryRead(store: SecretStore, label: CredentialLabel, versionId: string): AsyncIterable<Credential> {
  try {
    yield credential(label, await store.read({ versionId }));
  } catch (error) {
    if (!(error instanceof RotationError && ['SECRET_MALFORMED', 'SECRET_HAS_NO_VALUE'].includes(error.code)))
      throw error;
  }
}

function credential(label: CredentialLabel, version: StoredVersion | undefined): Credential {
  if (version === undefined) throw noValue(label);
  try {
    return { label, versionId: version.versionId, secret: parseDatabaseSecret(version.text) };
  } catch (error) {
    throw error instanceof RotationError ? error.with({ credential: label }) : error;
  }
}

function noValue(label: CredentialLabel): RotationError {
  return new RotationError('SECRET_HAS_NO_VALUE', `The ${label} version must have a value, and it has none.`, {
    remedy:
      label === 'current'
        ? 'Store the credential that the database has: aws secretsmanager put-secret-value --secret-id {secretArn} --secret-string file://…'
        : 'createSecret has not run: start again with `aws secretsmanager rotate-secret --secret-id {secretArn}`.',
    credential: label,
  });
}
