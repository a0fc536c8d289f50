import { RotationError, type RotationErrorCode } from '../../shared/errors.ts';
import type {
  Administrator,
  LockedTwins,
  OwnPasswordChange,
  OwnRole,
  PasswordOutcome,
  PasswordRequest,
  RoleDatabase,
  RoleLock,
  RoleSession,
  TwinChange,
  TwinLink,
  UserFacts,
} from '../../shared/rotation/ports.ts';
import { Password } from '../../shared/secret/password.ts';
import { FakeLocks, FakeRows } from './fake-locks.ts';

export interface FakeRole {
  password: string;
  /** Of the stored password: another one each time that somebody sets it. */
  salt: Buffer;
  readonly facts?: Partial<UserFacts>;
}

/** A login that the server has been asked for. */
export interface LoginAttempt {
  readonly credential: Administrator;
  /** Of all logins with this server, from 1. */
  readonly number: number;
}

/** What meets a login besides the judgement of its password. */
export type Meeting =
  /** Before the password is looked at. */
  | { readonly fails: RotationError }
  /** Whatever the password is: pg_hba.conf, say. With a salt: by somebody in between. */
  | { readonly refused: true; readonly salt?: Buffer }
  /** Once the password was taken. */
  | { readonly withoutSession: RotationError };

const SCRAM: PasswordRequest = { method: 'scram-sha-256', salt: Buffer.alloc(0), iterations: 4096 };

/** Of one login. */
interface Session {
  /** Whose it is. */
  readonly who: string;
  readonly username: string;
  /** When the password was looked up, by the server's own count of what has happened. */
  readonly began: number;
  committed: number;
  /** Whether the lock came too late for the login to count as made under it. */
  stale: boolean;
}

/**
 * A server in memory: roles, their passwords, and a lock for each. Whoever lets go of a lock keeps it as long as a login
 * from before its last commit counts as fresh, as the real adapter does. What a session does is in `events`; `before` is where a
 * schedule of several actors waits, or lets something happen; `meets` is where a login goes another way.
 */
export class FakeServer {
  readonly host: string;
  readonly roles = new Map<string, FakeRole>();
  readonly events: string[] = [];
  /** How it asks for passwords; of SCRAM the salt is the role's. */
  request: PasswordRequest | undefined = SCRAM;
  address: string | undefined = '10.0.0.1';
  /** ms */
  loginTook = 0;
  /** How long, in ms, computing a verifier is said to have taken. */
  computing = 0;
  /** Why there is no way back; undefined where there is one. */
  noWayBack: string | undefined;
  /** Whether a lock that was free counts as taken right at the login. */
  fresh = true;
  actsAsItself = false;
  missing = 0;
  before: (event: string) => Promise<void> | void = () => {};
  meets: (attempt: LoginAttempt) => Meeting | undefined = () => undefined;
  #logins = 0;
  #clock = 0;
  /** By whom it was made, and how many of theirs there were: the same, in whatever order things happen. */
  readonly #salts = new Map<string, number>();
  readonly #sessions = new Set<Session>();
  readonly #locks = new FakeLocks<Session>();
  readonly #rows = new FakeRows();

  constructor(host = 'db') {
    this.host = host;
  }

  /** A person's ALTER ROLE, which waits for whatever transaction has the role's row. */
  async setByHand(name: string, password: string): Promise<void> {
    await this.#inTransaction(name, 'somebody', async () => {
      this.#set(name, password);
      return 'commit';
    });
  }

  role(name: string, password: string, facts: Partial<UserFacts> = {}): this {
    this.roles.set(name, { password, salt: this.#newSalt(), facts });
    return this;
  }

  /** Nobody gets as far as a password. */
  refuseAll(error: RotationError): void {
    this.meets = () => ({ fails: error });
  }

  passwordOf(name: string): string | undefined {
    return this.roles.get(name)?.password;
  }

  /** The lock is taken away from whoever has it, as when the server ends that session. */
  breakLock(role: string): void {
    for (const { key, holder } of this.#locks.heldUnder(lockOf(role, ''))) {
      this.#locks.release(key, holder);
    }
  }

  isLocked(role: string): boolean {
    return this.#locks.heldUnder(lockOf(role, '')).length > 0;
  }

  /** Equal for states from which the same can come. Of what happened when, only who logged in before whose commit counts. */
  fingerprint(): string {
    const roles = [...this.roles].map(([name, { password, salt }]) => `${name} ${password} ${salt}`);
    const sessions = [...this.#sessions].map((own) => {
      const older = [...this.#sessions].filter(
        ({ username, began }) => username === own.username && began < own.committed,
      );
      return `${own.who} as ${own.username}${own.stale ? ' stale' : ''} > ${older.map(({ who }) => who).sort()}`;
    });
    const locks = this.#locks.fingerprint(({ who }) => who);
    return [roles.sort().join(', '), sessions.sort().join(', '), locks, this.#rows.fingerprint()].join(' | ');
  }

  async happens(event: string): Promise<void> {
    this.events.push(event);
    await this.before(event);
  }

  /** @param who of several actors logs in. */
  async login<T>(
    credential: Administrator,
    work: (roles: RoleSession) => Promise<T>,
    who = '',
  ): Promise<PasswordOutcome<T>> {
    const { username, password } = credential.secret;
    const sent = password instanceof Password ? password : await password.token();
    const number = ++this.#logins;
    await this.happens(`login ${credential.source}`);
    const meeting = this.meets({ credential, number });
    if (meeting !== undefined && 'fails' in meeting) throw meeting.fails;
    const request = this.#requestFor(username);
    const isRefused = meeting !== undefined && 'refused' in meeting;
    if (isRefused || (request !== undefined && this.passwordOf(username) !== sent.reveal())) {
      this.events.push(`refused ${credential.source}`);
      const salt = isRefused ? meeting.salt : undefined;
      const shown = request?.method === 'scram-sha-256' && salt !== undefined ? { ...request, salt } : request;
      return { accepted: false, address: this.address, request: shown };
    }
    if (meeting !== undefined && 'withoutSession' in meeting) {
      if (request === undefined) throw meeting.withoutSession;
      return { accepted: 'without-session', error: meeting.withoutSession, request };
    }
    const began = ++this.#clock;
    const session: Session = { who, username, began, committed: began, stale: false };
    this.#sessions.add(session);
    try {
      return { accepted: true, value: await work(this.#session(credential, session, request)) };
    } finally {
      this.#sessions.delete(session);
      this.#locks.releaseAll(session);
    }
  }

  #requestFor(username: string): PasswordRequest | undefined {
    if (this.request?.method !== 'scram-sha-256') return this.request;
    return { ...this.request, salt: this.roles.get(username)?.salt ?? Buffer.from('mock') };
  }

  #newSalt(who = ''): Buffer {
    const number = (this.#salts.get(who) ?? 0) + 1;
    this.#salts.set(who, number);
    return Buffer.from(`salt ${number} of ${who}`);
  }

  #session(credential: Administrator, session: Session, request: PasswordRequest | undefined): RoleSession {
    const { username, dbname } = credential.secret;
    const lock = (role: string, event: 'lock' | 'await' = 'lock') => this.#lockRole(role, dbname, session, event);
    return {
      request,
      address: this.address,
      loginTook: this.loginTook,
      confirmUser: () => this.happens('confirm'),
      examineOwn: () => this.happens('examine'),
      lockOwn: async () => this.#ownRole(username, session, await lock(username)),
      awaitOwn: () => lock(username, 'await'),
      twins: {
        describeUser: async (name = username) => {
          await this.happens(`describe ${name}`);
          return {
            ...PLAIN,
            actsAs: name,
            twin: this.roles.has(`${name}_clone`) ? this.#link(`${name}_clone`) : null,
            scram: request?.method === 'scram-sha-256',
            ...this.roles.get(name)?.facts,
          };
        },
        lock: async (base) => this.#lockedTwins(session, await lock(base)),
        preview: async ({ twin, username, database, proven }) => {
          await this.happens(`preview ${twin} for ${username} in ${database}`);
          const exists = this.roles.has(twin);
          if (exists && !this.#link(twin).setToBase && !(await proven())) throw failure('TWIN_NOT_LINKED');
          return { exists, statements: exists ? 1 : 4, actsAsItself: this.actsAsItself };
        },
        missingPrivileges: () => Promise.resolve(this.missing),
      },
    };
  }

  #ownRole(username: string, session: Session, lock: RoleLock): OwnRole {
    return {
      ...lock,
      prepare: async (to, { credential: origin, request }): Promise<OwnPasswordChange> => {
        const salt = this.#newSalt(session.who);
        const former = request?.method === 'scram-sha-256' ? request.salt : this.#newSalt(session.who);
        return {
          computing: this.computing,
          isStored: async (asked) =>
            asked?.method !== 'scram-sha-256' || [salt, former].some((each) => asked.salt.equals(each)),
          apply: (guard, beforeCommit = () => {}) =>
            this.#alone(username, session, async () => {
              await this.happens('hold');
              const verdict = await guard();
              if (verdict === 'already-current') return verdict;
              beforeCommit();
              await this.happens('change');
              this.#commit(session, username, to.reveal(), salt);
              return 'changed';
            }),
          wayBack:
            this.noWayBack === undefined
              ? async (look) =>
                  void (await this.#inTransaction(username, session.who, async () => {
                    if (!(await look())) return 'rollback';
                    await this.happens(`way back to ${origin.source}`);
                    this.#commit(session, username, origin.secret.password.reveal(), former);
                    return 'commit';
                  }))
              : { none: this.noWayBack },
        };
      },
    };
  }

  async #lockRole(role: string, dbname: string, session: Session, event: 'lock' | 'await'): Promise<RoleLock> {
    await this.happens(`${event} ${role}`);
    const key = lockOf(role, dbname);
    const wasFree = await this.#locks.take(key, session);
    return {
      fresh: wasFree && this.fresh && !session.stale,
      release: async () => {
        await this.happens('release');
        for (const other of this.#sessions) {
          if (other.username === session.username && other.began < session.committed) other.stale = true;
        }
        return this.#locks.release(key, session);
      },
    };
  }

  #lockedTwins(session: Session, lock: RoleLock): LockedTwins {
    return {
      ...lock,
      applyTwin: async ({ base, twin, username, password, proven }: TwinChange, guard) => {
        await this.happens(`plan ${twin}`);
        const { membership, maySet, setToBase } = this.#link(twin);
        if (this.roles.has(twin) && !(membership === 'granted' && ((maySet && setToBase) || (await proven()))))
          throw failure('TWIN_NOT_LINKED', 'A twin was needed, and it is none.');
        return await this.#alone(username, session, async () => {
          await this.happens('hold');
          const verdict = await guard();
          if (verdict === 'already-current') return { verdict };
          await this.happens('change');
          if (!this.roles.has(twin)) this.role(twin, '', twinFacts(base));
          this.#commit(session, username, password.reveal());
          return { verdict: 'changed', computing: this.computing, actsAsItself: this.actsAsItself };
        });
      },
    };
  }

  /** Transactions that hold a role's row follow one another, in the order in which they ask for it. */
  async #inTransaction(role: string, who: string, work: () => Promise<'commit' | 'rollback'>): Promise<void> {
    // Its first message is on the way.
    await this.before('begin');
    await this.#rows.take(role, who);
    let end: 'commit' | 'rollback' = 'rollback';
    try {
      end = await work();
    } finally {
      this.#rows.release(role, end);
    }
  }

  /** The same for a change, which the server refuses to whoever has waited for another one (XX000). */
  async #alone<T>(role: string, session: Session, work: () => Promise<T>): Promise<T> {
    await this.before('begin');
    const got = await this.#rows.take(role, session.who);
    const { committed } = session;
    try {
      if (got === 'after a commit') throw failure('ROLE_BUSY');
      return await work();
    } finally {
      this.#rows.release(role, session.committed === committed ? 'rollback' : 'commit');
    }
  }

  #link(twin: string): TwinLink {
    return this.roles.get(twin)?.facts?.asTwin ?? NO_LINK;
  }

  #commit(session: Session, username: string, password: string, salt = this.#newSalt(session.who)): void {
    this.#set(username, password, salt);
    session.committed = ++this.#clock;
  }

  #set(username: string, password: string, salt = this.#newSalt()): void {
    const role = this.roles.get(username);
    if (role === undefined) throw failure('ROLE_MISSING', 'The role must exist, and it does not.');
    Object.assign(role, { password, salt });
  }
}

/** Locks are a database's own: whoever logs in to another one is not kept out. */
const lockOf = (role: string, dbname: string) => `${role} in ${dbname}`;

const NO_LINK: TwinLink = {
  membership: 'none',
  maySet: false,
  setToBase: false,
  ownsObjects: false,
  superuser: false,
  members: [],
};
/** How a twin of our own making is linked to its base role. */
export const LINKED: TwinLink = {
  membership: 'granted',
  maySet: true,
  setToBase: true,
  ownsObjects: false,
  superuser: false,
  members: [],
};

const PLAIN: UserFacts = {
  serverVersion: '18.1',
  superuser: false,
  scram: true,
  actsAs: '',
  namesake: null,
  namesakeActsAs: null,
  asTwin: null,
  twin: null,
};
const twinFacts = (base: string): Partial<UserFacts> => ({
  actsAs: base,
  namesake: base,
  namesakeActsAs: base,
  asTwin: LINKED,
});

/** Several servers, by host, as the engine's port. */
export function databaseOf(...servers: readonly FakeServer[]): RoleDatabase {
  const tryPassword: RoleDatabase['tryPassword'] = async (credential, work) => {
    const server = servers.find(({ host }) => host === credential.secret.host);
    if (server === undefined) throw failure('DATABASE_HOST_NOT_FOUND', 'A host was needed, and there is none.');
    return await server.login(credential, work);
  };
  return {
    tryPassword,
    async withLogin(credential, work) {
      const outcome = await tryPassword(credential, work);
      if (outcome.accepted === 'without-session') throw outcome.error;
      return outcome;
    },
  };
}

export function failure(code: RotationErrorCode, message = `${code} was met.`): RotationError {
  return new RotationError(code, message, { remedy: `Mend ${code}.` });
}
