/** The engine's ports, each of whose calls waits for its turn. What is behind them may be in memory, or real. */
import type {
  Guard,
  LockedTwins,
  LoginOutcome,
  OwnPasswordChange,
  OwnRole,
  RoleDatabase,
  RoleLock,
  RoleSession,
  SecretStore,
  StoredVersion,
  SuperuserSecrets,
  TwinRoles,
  WhichVersion,
} from '../../../shared/rotation/ports.ts';
import { failure } from '../fake-server.ts';
import { type Actor, API, type CallKind, type End, LOGIN, READ, SQL } from './actor.ts';

const OWN_AFFAIR: CallKind = { ...SQL, isOwnAffair: true };
const writes = (kind: CallKind): CallKind => ({ ...kind, writes: true, lags: false });
/** What the service refuses has no effect; a TIMEOUT may have one. */
const MOVE: CallKind = { ...writes(API), failsWith: [failure('SECRET_ACCESS_DENIED'), API.failsWith[1]] };
const keyOf = ({ versionId, stage }: WhichVersion, names: Names) =>
  [versionId === undefined ? undefined : names(versionId), stage].filter(Boolean).join(' ');

/** What a version, by its id, or a role is called in a schedule. */
export type Names = (idOrRole: string) => string;

export interface GatedStoreOptions {
  readonly secret: string;
  readonly names: Names;
  /** Answers what was there before the last change; undefined where no read lags. */
  readonly former?: Pick<SecretStore, 'describe' | 'read'> | undefined;
}

export function gatedStore(
  actor: Actor,
  inner: SecretStore,
  { secret, names, former }: GatedStoreOptions,
): SecretStore {
  const kind = { ...(former === undefined ? API : READ), secret };
  const from = (isStale: boolean) => (isStale && former !== undefined ? former : inner);
  const read = (which: WhichVersion) => {
    const key = keyOf(which, names);
    const seen = (version: StoredVersion | undefined) =>
      version === undefined ? 'none' : `${names(version.versionId)} ${version.text}`;
    return actor.call(`GetSecretValue ${key}`, kind, (isStale) => from(isStale).read(which), seen);
  };
  return {
    describe: () =>
      actor.call(
        'DescribeSecret',
        kind,
        (isStale) => from(isStale).describe(),
        (answer) => JSON.stringify(answer),
      ),
    read,
    putPending: (text) => actor.call('PutSecretValue', writes(kind), () => inner.putPending(text), String),
    promotePending: (from) =>
      actor.call('UpdateSecretVersionStage', { ...kind, ...MOVE }, () => inner.promotePending(from), String),
    unlabelledVersions: () =>
      actor.call(
        'ListSecretVersionIds',
        { ...API, secret },
        () => inner.unlabelledVersions(),
        (answer) => JSON.stringify(answer),
      ),
  };
}

export function gatedSuperusers(actor: Actor, inner: SuperuserSecrets): SuperuserSecrets {
  return {
    read: (current) =>
      actor.call(
        'GetSecretValue of the superuser',
        { ...API, secret: 'admin' },
        () => inner.read(current),
        ({ versionId }) => versionId,
      ),
    isRotating: (current) =>
      actor.call(
        'DescribeSecret of the superuser',
        { ...API, secret: 'admin' },
        () => inner.isRotating(current),
        String,
      ),
  };
}

/** @param mayLogIn throws where the actor's way to the server is one that this login can't take. */
export function gatedDatabase(
  actor: Actor,
  inner: RoleDatabase,
  names: Names,
  mayLogIn: (source: string) => void = () => {},
): RoleDatabase {
  const tryPassword: RoleDatabase['tryPassword'] = async (credential, work, within) => {
    const end = await actor.turn(`logs in as ${names(credential.secret.username)} with ${credential.source}`, LOGIN);
    let isAnswered = false;
    const answered = <T>(answer: T, seen: string): T => {
      isAnswered = true;
      return end(answer, seen);
    };
    try {
      mayLogIn(credential.source);
      const outcome = await inner.tryPassword(
        credential,
        (roles) => work(gatedSession(actor, answered(roles, `accepted ${roles.request?.method}`))),
        within,
      );
      return isAnswered ? outcome : answered(outcome, String(outcome.accepted));
    } catch (error) {
      throw isAnswered ? error : answered(error, String(error));
    }
  };
  return {
    tryPassword,
    async withLogin<T>(credential: Parameters<RoleDatabase['withLogin']>[0], work: (roles: RoleSession) => Promise<T>) {
      const outcome = await tryPassword(credential, work);
      if (outcome.accepted === 'without-session') throw outcome.error;
      return outcome satisfies LoginOutcome<T>;
    },
  };
}

/** One session: once an answer of its got lost it is broken, and each further call is too. */
class Session {
  readonly #actor: Actor;
  #isBroken = false;

  constructor(actor: Actor) {
    this.#actor = actor;
  }

  async turn(label: string, kind: CallKind = SQL): Promise<End> {
    if (this.#isBroken) throw SQL.failsWith[1];
    const end = await this.#actor.turn(label, kind);
    return (answer, seen) => {
      try {
        return end(answer, seen);
      } catch (error) {
        this.#isBroken = true;
        throw error;
      }
    };
  }

  async call<T>(
    label: string,
    perform: () => Promise<T>,
    seen: (answer: T) => string = String,
    kind = SQL,
  ): Promise<T> {
    const end = await this.turn(label, kind);
    let answer: T;
    try {
      answer = await perform();
    } catch (error) {
      throw end(error, String(error));
    }
    return end(answer, seen(answer));
  }

  /** A transaction that takes a role's row, asks, and then commits: the row and the commit are a call each. */
  async transaction<T>(
    [hold, commit]: readonly [string, string],
    work: (ask: <V>(question: () => Promise<V>, goesOn: (verdict: V) => boolean) => Promise<V>) => Promise<T>,
  ): Promise<T> {
    let end = await this.turn(hold);
    let isAnswered = false;
    const answered = <A>(answer: A, seen: string): A => {
      isAnswered = true;
      return end(answer, seen);
    };
    const ask = async <V>(question: () => Promise<V>, goesOn: (verdict: V) => boolean): Promise<V> => {
      answered(undefined, 'held');
      const verdict = await question();
      if (!goesOn(verdict)) return verdict;
      end = await this.turn(commit, writes(SQL));
      isAnswered = false;
      return verdict;
    };
    let done: T;
    try {
      done = await work(ask);
    } catch (error) {
      throw isAnswered ? error : answered(error, String(error));
    }
    return isAnswered ? done : answered(done, 'done');
  }
}

const proceeds = (verdict: Awaited<ReturnType<Guard>>) => verdict === 'proceed';

function gatedSession(actor: Actor, inner: RoleSession): RoleSession {
  const session = new Session(actor);
  return {
    request: inner.request,
    address: inner.address,
    loginTook: inner.loginTook,
    confirmUser: () => session.call('confirms who is logged in', () => inner.confirmUser(), String, OWN_AFFAIR),
    examineOwn: () => session.call('examines itself', () => inner.examineOwn(), String, OWN_AFFAIR),
    async lockOwn(): Promise<OwnRole> {
      const lock = await session.call('locks its role', () => inner.lockOwn(), seenOfLock);
      return {
        ...gatedLock(session, lock),
        async prepare(to, origin): Promise<OwnPasswordChange> {
          const change = await lock.prepare(to, origin);
          const { wayBack } = change;
          return {
            computing: change.computing,
            isStored: (request) => session.call('compares what is stored', () => change.isStored(request)),
            apply: (guard, beforeCommit) =>
              session.transaction(['takes the row of its role', 'sets the new password'], (ask) =>
                change.apply(() => ask(guard, proceeds), beforeCommit),
              ),
            wayBack:
              typeof wayBack === 'function'
                ? (look) =>
                    session.transaction(['takes the row again', 'puts the password back'], (ask) =>
                      wayBack(() => ask(look, (wanted) => wanted)),
                    )
                : wayBack,
          };
        },
      };
    },
    awaitOwn: async () =>
      gatedLock(session, await session.call('awaits the lock of its role', () => inner.awaitOwn(), seenOfLock)),
    twins: gatedTwins(session, inner.twins),
  };
}

function gatedTwins(session: Session, inner: TwinRoles): TwinRoles {
  return {
    describeUser: (name) =>
      session.call(
        'describes a user',
        () => inner.describeUser(name),
        (facts) => JSON.stringify(facts),
      ),
    async lock(base): Promise<LockedTwins> {
      const lock = await session.call('locks the twins', () => inner.lock(base), seenOfLock);
      return {
        ...gatedLock(session, lock),
        applyTwin: (change, guard) =>
          session.transaction(['takes the row of a twin', "sets the twin's password"], (ask) =>
            lock.applyTwin(change, () => ask(guard, proceeds)),
          ),
      };
    },
    preview: (change) => inner.preview(change),
    missingPrivileges: (base, username) =>
      session.call('compares privileges', () => inner.missingPrivileges(base, username)),
  };
}

function gatedLock(session: Session, lock: RoleLock): RoleLock {
  return {
    fresh: lock.fresh,
    release: () => session.call('lets go of the lock', () => lock.release(), String, writes(SQL)),
  };
}

const seenOfLock = ({ fresh }: RoleLock) => (fresh ? 'fresh' : 'waited for');
