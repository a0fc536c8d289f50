/** What alternating users would do next, without doing it. */
import type { Deadline } from '../deadline.ts';
import { alternatingUsers } from './alternating-users.ts';
import type {
  Administrator,
  Credential,
  LoginOutcome,
  RoleDatabase,
  SecretReader,
  SuperuserSecrets,
  TwinPreview,
} from './ports.ts';
import type { StrategyContext } from './strategy.ts';
import { earlierCredentials } from './version-read.ts';

/** The ports of a step, of which nothing is written through. */
export interface TurnPorts {
  readonly database: RoleDatabase;
  readonly superusers: SuperuserSecrets;
  readonly versions: SecretReader;
  readonly deadline: Deadline;
}

/** The next rotation of two twin logins. */
export interface NextTurn extends TwinPreview {
  /** The role that owns the application's objects. */
  readonly base: string;
  /** Its second login. */
  readonly twin: string;
  /** Whose password comes next. */
  readonly username: string;
}

/**
 * Proves AWSCURRENT by a login, then has the administrator's login plan the next turn.
 *
 * @returns whether the server accepts the administrator's login, and what the turn would do.
 * @throws RotationError for whatever a rotation would be refused for before anything is changed.
 */
export async function previewTurn(
  current: Credential,
  superuser: Administrator,
  { database, superusers, versions, deadline }: TurnPorts,
): Promise<LoginOutcome<NextTurn>> {
  const { withLogin, tryPassword } = database;
  const nothingProven = { get: () => undefined, add: () => undefined, remove: () => undefined };
  const context: StrategyContext = {
    withLogin,
    tryPassword,
    deadline,
    superusers,
    recentLogins: nothingProven,
    earlier: earlierCredentials(versions, undefined, () => Promise.resolve()),
    patiently: (work) => work(),
    refused: new Set(),
  };
  const username = await alternatingUsers.nextUsername(current, context);
  const now = current.secret.username;
  const [base, twin] = username.length > now.length ? [now, username] : [username, now];
  return await withLogin(superuser, async (roles) => {
    // nextUsername has proven it, if it had to be proven by a login.
    const proven = () => Promise.resolve(true);
    const preview = await roles.twins.preview({ base, twin, username, database: current.secret.dbname, proven });
    return { ...preview, base, twin, username };
  });
}
