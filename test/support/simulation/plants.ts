/** Faults to plant into the engine or behind its ports, each of which a promise must be seen to catch. */
import { RotationError } from '../../../shared/errors.ts';
import type { Step } from '../../../shared/rotation/event.ts';
import type { OwnRole, RoleDatabase, RoleSession } from '../../../shared/rotation/ports.ts';
import { RecentLogins } from '../../../shared/rotation/recent-logins.ts';
import { singleUser } from '../../../shared/rotation/single-user.ts';
import { versionWith } from '../../../shared/rotation/version-stage.ts';
import { Password } from '../../../shared/secret/password.ts';
import { idOf } from './memory-stage.ts';
import type { Plant } from './play.ts';
import type { SecretName } from './scenario.ts';

/** Sessions behind which something is not as it should be. */
function withSessions(change: (roles: RoleSession, source: string) => RoleSession): Plant {
  return (input) => {
    const { tryPassword } = input.database;
    const planted: RoleDatabase['tryPassword'] = (credential, work, within) =>
      tryPassword(credential, (roles) => work(change(roles, credential.source)), within);
    return {
      ...input,
      database: {
        tryPassword: planted,
        async withLogin(credential, work) {
          const outcome = await planted(credential, work);
          if (outcome.accepted === 'without-session') throw outcome.error;
          return outcome;
        },
      },
    };
  };
}

/** A change of the own password that is not as it should be. */
function withOwnRole(change: (role: OwnRole) => OwnRole): Plant {
  return withSessions((roles) => ({ ...roles, lockOwn: async () => change(await roles.lockOwn()) }));
}

/** One after the other. */
export const all =
  (...plants: readonly Plant[]): Plant =>
  (input) =>
    plants.reduce((planted, plant) => plant(planted), input);

/** Only in the rotation of one secret. */
export const of =
  (secret: SecretName, plant: Plant): Plant =>
  (input) =>
    input.event.secretArn === secret ? plant(input) : input;

/** Only in one step. */
export const during =
  (step: Step, plant: Plant): Plant =>
  (input) =>
    input.event.step === step ? plant(input) : input;

export const setsWhatNobodyStored: Plant = (input) => ({
  ...input,
  strategy: {
    ...singleUser,
    applyPending: (context) => {
      const { pending } = context;
      const secret = { ...pending.secret, password: new Password('in no version') };
      return singleUser.applyPending({ ...context, pending: { ...pending, secret } });
    },
  },
});

/** The twin's turn changes the login that applications use. */
export const changesTheOtherTwin: Plant = withSessions((roles) => ({
  ...roles,
  twins: {
    ...roles.twins,
    async lock(base) {
      const twins = await roles.twins.lock(base);
      return {
        ...twins,
        applyTwin: (change, guard) => twins.applyTwin({ ...change, username: change.base }, guard),
      };
    },
  },
}));

export const hasNoWayBack: Plant = withOwnRole((role) => ({
  ...role,
  prepare: async (to, origin) => ({ ...(await role.prepare(to, origin)), wayBack: () => Promise.resolve() }),
}));

/** Puts back without a look who has moved on meanwhile. */
export const looksAtNobody: Plant = withOwnRole((role) => ({
  ...role,
  async prepare(to, origin) {
    const change = await role.prepare(to, origin);
    const { wayBack } = change;
    return typeof wayBack === 'function' ? { ...change, wayBack: () => wayBack(() => Promise.resolve(true)) } : change;
  },
}));

/** Changes without asking the guard once more. */
export const asksNoGuard: Plant = withOwnRole((role) => ({
  ...role,
  async prepare(to, origin) {
    const change = await role.prepare(to, origin);
    return { ...change, apply: (_, beforeCommit) => change.apply(() => Promise.resolve('proceed'), beforeCommit) };
  },
}));

/** Lets go of the lock before anything is done. */
export const letsGoAtOnce: Plant = withSessions((roles) => ({
  ...roles,
  async lockOwn() {
    const role = await roles.lockOwn();
    await role.release();
    return { ...role, release: () => Promise.resolve(true), fresh: true };
  },
}));

export const movesTheLabelFromWhereverItIs: Plant = (input) => ({
  ...input,
  store: {
    ...input.store,
    async promotePending(from) {
      const moved = await input.store.promotePending(from);
      if (moved === 'promoted') return moved;
      return await input.store.promotePending(versionWith((await input.store.describe()).stages, 'AWSCURRENT'));
    },
  },
});

/** Does not see that the pending version is AWSPREVIOUS too. */
export const takesRetiredVersions: Plant = (input) => ({
  ...input,
  store: {
    ...input.store,
    async describe() {
      const state = await input.store.describe();
      const stages = Object.entries(state.stages).map(([id, labels]) => [
        id,
        labels.filter((label) => label !== 'AWSPREVIOUS' || !labels.includes('AWSPENDING')),
      ]);
      return { ...state, stages: Object.fromEntries(stages) };
    },
  },
});

/** Believes of each version that it has tested it, beside the one of that name. */
export const believesItHasTested =
  (besides: string): Plant =>
  (input) => {
    const recentLogins = new RecentLogins();
    const proof = { comparedWith: undefined, besides: idOf(besides) };
    recentLogins.get = () => ({ source: 'pending', scram: true, proof });
    return { ...input, recentLogins };
  };

/** Says of each setSecret that it has moved the label. */
export const alwaysSaysItHasPromoted: Plant = (input) => ({
  ...input,
  strategy: {
    ...singleUser,
    applyPending: async (context) => ({ ...(await singleUser.applyPending(context)), promoted: true }),
  },
});

/** Says of each finishSecret that another one was faster. */
export const neverSaysItHasPromoted: Plant = (input) => ({
  ...input,
  store: {
    ...input.store,
    async promotePending(from) {
      await input.store.promotePending(from);
      return 'label-moved';
    },
  },
});

/** Its proof wants the lock that its own first session has. */
export const locksTwice: Plant = withSessions((roles, source) => ({
  ...roles,
  confirmUser: async () => void (source === 'pending' ? await roles.awaitOwn() : await roles.confirmUser()),
}));

export const throwsSomethingElse: Plant = (input) => ({
  ...input,
  newPassword: () => {
    throw new TypeError('no error of ours');
  },
});

/** Throws an error of its own where nobody knows what came of a call. */
export const needsAnAnswer: Plant = (input) => ({
  ...input,
  store: {
    ...input.store,
    putPending: (text) =>
      input.store.putPending(text).catch((error: unknown) => {
        const isLost = error instanceof RotationError && error.code === 'SECRETS_MANAGER_TIMEOUT';
        throw isLost ? new TypeError('no answer') : error;
      }),
  },
});
