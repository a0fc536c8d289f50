/** What a step works with, and what of that a strategy is offered. */
import type { Deadline } from '../deadline.ts';
import type { Engine } from '../secret/database-secret.ts';
import type { Password } from '../secret/password.ts';
import { labelMoved } from './credential-errors.ts';
import type { RotationEvent } from './event.ts';
import type { Patience, Sleep } from './patience.ts';
import type { Credential, RoleDatabase, SecretStore, SuperuserSecrets } from './ports.ts';
import type { RecentLogins } from './recent-logins.ts';
import type { RotationStrategy, SetSecretContext, StrategyContext } from './strategy.ts';
import { earlierCredentials, tryCandidate, tryRead } from './version-read.ts';
import { decide, versionWith } from './version-stage.ts';

/** What a rotation step works with. */
export interface StepInput {
  readonly event: RotationEvent;
  readonly strategy: RotationStrategy;
  readonly store: SecretStore;
  readonly superusers: SuperuserSecrets;
  readonly database: RoleDatabase;
  /** Of this instance, with any version. */
  readonly recentLogins: RecentLogins;
  readonly deadline: Deadline;
  /** One that this kind of server takes. */
  newPassword(engine: Engine): Password;
  /** The secret's keys whose copies of the login are rewritten with it; none unless given. */
  readonly connectionStringKeys?: readonly string[];
  /** Whether setSecret moves AWSCURRENT itself, where a user's own password is replaced; default: no. */
  readonly promoteEarly?: boolean;
  /** Pauses between tries; default: by the clock. */
  readonly sleep?: Sleep;
}

/** The same at work. */
export interface StepWork extends StepInput {
  readonly patience: Patience;
  readonly sleep: Sleep;
  /** Ids of versions whose passwords were refused, however often the step has begun anew. */
  readonly refused: Set<string>;
}

/** @param judgeOwn sees this rotation's own value before it is used as an earlier one. */
export function contextOf(
  input: StepWork,
  judgeOwn: (own: Credential) => Promise<void> = () => Promise.resolve(),
): StrategyContext {
  const { event, store, database, superusers, recentLogins, deadline, patience, refused } = input;
  return {
    patiently: patience.patiently,
    withLogin: database.withLogin,
    tryPassword: database.tryPassword,
    mayFallBack: database.mayFallBack,
    deadline,
    refused,
    superusers,
    recentLogins: {
      get: ({ versionId }) => recentLogins.get(event.secretArn, versionId),
      add: ({ versionId, source }, login) => recentLogins.add(event.secretArn, versionId, { source, ...login }),
      remove: ({ versionId }) => recentLogins.forget(event.secretArn, versionId),
    },
    earlier: earlierCredentials(store, event.versionId, judgeOwn),
  };
}

interface ChangeOptions {
  /** The version that this instance has logged in with last. */
  readonly latest?: ReturnType<RecentLogins['latest']>;
  /** Hears that the guard was asked. */
  readonly onGuarded?: () => void;
}

export function contextOfChange(
  input: StepWork,
  current: Credential,
  pending: Credential,
  { latest, onGuarded = () => {} }: ChangeOptions = {},
): SetSecretContext {
  const { event, store } = input;
  return {
    ...contextOf(input),
    current,
    pending,
    async guard() {
      const state = await store.describe();
      const verdict = decide(state, event.versionId);
      onGuarded();
      if (verdict === 'proceed' && versionWith(state.stages, 'AWSCURRENT') !== current.versionId) throw labelMoved();
      return verdict;
    },
    promote: input.promoteEarly ? (givenUp) => store.promotePending(current.versionId, givenUp) : undefined,
    async latestLogin() {
      if (latest === undefined) return undefined;
      if (latest.versionId === pending.versionId) return pending;
      return await tryCandidate(store, latest.source, { versionId: latest.versionId });
    },
    async whereabouts() {
      const { stages } = await store.describe();
      const ids = [versionWith(stages, 'AWSCURRENT'), versionWith(stages, 'AWSPENDING')];
      const others = ids.filter((id) => id !== undefined && ![event.versionId, current.versionId].includes(id));
      const read = await Promise.all(others.map((versionId = '') => tryRead(store, 'current', { versionId })));
      return {
        promoted: ids[0] === event.versionId,
        isMoved: ids[0] !== current.versionId,
        others: read.filter((version) => version !== undefined),
      };
    },
  };
}
