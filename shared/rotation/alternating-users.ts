import { RotationError } from '../errors.ts';
import { isSameServer, TWIN_SUFFIX } from '../secret/database-secret.ts';
import { asAdministrator, changeTwin, verifyTwin, WHEN_REFUSED } from './change-twin.ts';
import { passwordNotAccepted, pendingMismatch, superuserSecretMissing, twinNotLinked } from './credential-errors.ts';
import { healCurrent } from './heal-twin.ts';
import type { Credential, UserFacts } from './ports.ts';
import type { RotationStrategy, StrategyContext } from './strategy.ts';
import { isSuperuser, needRoles } from './twin-errors.ts';
import { isLinked, nameOfOther, provenByLogin } from './twin-link.ts';

/**
 * Alternating users: two twin logins of one identity take turns, so that the credential that applications hold keeps
 * working while the other one gets its new password.
 *
 * The superuser secret's login, the administrator's, is used only after the current credential has been proven by a login:
 * who can write the secret but doesn't know a password of its database can't have the administrator do anything.
 * Where AWSCURRENT is refused because of this very rotation, it is the pending one that is proven (heal-twin.ts).
 */
export const alternatingUsers: RotationStrategy = {
  name: 'alternating-users',

  async nextUsername(current, context) {
    needSuperuserSecret(current);
    const user = await proveCurrent(current, context);
    const { username } = current.secret;
    const next = nameOfOther(current, user);
    const link = next.length < username.length ? user.asTwin : user.twin;
    if (link !== null && !(await isLinked(link, current, next, context))) {
      const [base, twin] = next.length < username.length ? [next, username] : [username, next];
      throw twinNotLinked(base, twin, link).with({ host: current.secret.host, port: current.secret.port });
    }
    return next;
  },

  pendingUserNeeded: (current, pending) => (twinsOf(current, pending) === undefined ? twinNeeded(current) : undefined),

  async applyPending(context) {
    const { current, pending, recentLogins } = context;
    const twins = twinsOf(current, pending);
    if (twins === undefined) throw pendingMismatch(pending, twinNeeded(current));
    const { base, twin } = twins;
    // Read meanwhile, used only after the proof.
    const reading = context.superusers.read(current);
    reading.catch(() => {});
    const { scram } = recentLogins.get(current) ?? (await proveCurrent(current, context));
    const administrator = await reading;
    const { username, password, dbname: database } = pending.secret;

    const change = {
      base,
      twin,
      username,
      database,
      password,
      scram,
      proven: provenByLogin(current, username, context),
    };
    return await asAdministrator(context, administrator, change, current, (roles, now) =>
      changeTwin(context, roles, now, change),
    );
  },

  /** No rotation touches its password, but where the label came to be on the login whose turn it is. */
  keepCurrentWorking: healCurrent,

  whenPendingIsRefused: WHEN_REFUSED,

  async verify(roles, pending) {
    await verifyTwin(roles, await roles.twins.describeUser(), pending);
    return true;
  },

  async mayLag(pending, { superusers }) {
    if (pending.secret.superuserSecretArn === undefined) return false;
    const administrator = await superusers.read(pending);
    return !isSameServer(administrator.secret, pending.secret);
  },
};

async function proveCurrent(current: Credential, context: StrategyContext): Promise<UserFacts> {
  const outcome = await context.patiently(() => context.withLogin(current, (roles) => roles.twins.describeUser()));
  if (!outcome.accepted) {
    context.refused.add(current.versionId);
    // Where this rotation's own password is why, whoever judges that one mends it and says so.
    await context.earlier.own()[Symbol.asyncIterator]().next();
    throw passwordNotAccepted(
      current,
      "As an administrator set the password that AWSCURRENT holds (in psql: \\password {role}), check that the role exists and its VALID UNTIL (\\du), then rotate again; if the database was restored from a snapshot, it has the password of then: AWSPREVIOUS's, maybe.",
    );
  }
  if (outcome.value.superuser) throw isSuperuser(current);
  const { superuserSecretArn } = current.secret;
  context.recentLogins.add(current, { scram: outcome.value.scram, superuserSecretArn });
  return outcome.value;
}

/** Which of the two is the base role follows from the names; that they are twins is checked again in the database. */
function twinsOf(
  current: Credential,
  pending: Credential,
): { readonly base: string; readonly twin: string } | undefined {
  const now = needRoles(current).username;
  const next = pending.secret.username;
  if (isSameServer(current.secret, pending.secret)) {
    if (next === now + TWIN_SUFFIX) return { base: now, twin: next };
    if (now === next + TWIN_SUFFIX) return { base: next, twin: now };
  }
  return undefined;
}

const twinNeeded = ({ secret: { username } }: Credential) =>
  `for the twin of ${username} on the current version's host and port`;

/** The contract's key, checked before a value is stored for which it would be missing. */
function needSuperuserSecret(current: Credential): void {
  const { superuserSecretArn, misspelt } = needRoles(current);
  if (superuserSecretArn === undefined) throw superuserSecretMissing(misspelt);
  if (/^[\w/+=.@!:-]{1,2048}$/.test(superuserSecretArn)) return;
  throw new RotationError(
    'SECRET_MALFORMED',
    "The secret's value can't be used: masterarn: an ARN was needed, found something else.",
    {
      remedy:
        'Put the ARN of the superuser secret into "masterarn": aws secretsmanager put-secret-value --secret-id {secretArn} --secret-string file://…',
      key: 'masterarn',
    },
  );
}
