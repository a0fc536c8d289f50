import { RotationError } from '../errors.ts';
import { isSameServer } from '../secret/database-secret.ts';
import { logsIn } from './change-own.ts';
import {
  credentialFacts,
  passwordNotAccepted,
  pendingMismatch,
  superuserSecretMissing,
  twinNotLinked,
} from './credential-errors.ts';
import type { Credential, RoleSession, TwinChange, TwinLink, UserFacts } from './ports.ts';
import { PROOF_WITHIN, prove } from './proof.ts';
import { candidates } from './recovery.ts';
import type { Applied, RotationStrategy, SetSecretContext, StrategyContext } from './strategy.ts';
import {
  actsOtherwise,
  isSuperuser,
  MAX_NAME_BYTES,
  nameTooLong,
  needRoles,
  ownsObjects,
  superuserIsApplicationUser,
  TWIN_SUFFIX,
  twinDiffers,
} from './twin-errors.ts';

/**
 * Alternating users: two twin logins of one identity take turns, so that the credential that applications hold keeps
 * working while the other one gets its new password.
 *
 * The superuser secret's login, the administrator's, is used only after the current credential has been proven by a login:
 * who can write the secret but doesn't know a password of its database can't have the administrator do anything.
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

  needPendingUser(current, pending) {
    twinsOf(current, pending);
  },

  async applyPending(context) {
    const { current, pending, recentLogins } = context;
    const { base, twin } = twinsOf(current, pending);
    // Read meanwhile, used only after the proof.
    const reading = context.superusers.read(current);
    reading.catch(() => {});
    const { scram } = recentLogins.get(current) ?? (await proveCurrent(current, context));
    let administrator = await reading;
    const { username, password, dbname: database } = pending.secret;

    const change = {
      base,
      twin,
      username,
      database,
      password,
      scram,
      proven: () => logsInAsOther(current, username, context),
    };
    for (;;) {
      const now = administrator;
      if ([base, twin].includes(now.secret.username)) throw superuserIsApplicationUser(now);
      // A change whose answer was lost is planned and made anew: what is in place already needs no statement.
      const outcome = await context.patiently(() =>
        context.withLogin(now, (roles) => changeTwin(context, roles, now, change)),
      );
      if (outcome.accepted) return outcome.value;
      administrator = await nextAdministrator(context, now);
    }
  },

  /** No rotation touches its password: where it does not log in, that is not for a rotation to mend. */
  keepCurrentWorking: async (context) => (await logsIn(context, context.current)) === 'accepted',

  whenPendingIsRefused:
    "AWSCURRENT's password was not touched: let the service try again; if it comes back, check the role's VALID UNTIL (\\du in psql), and that pg_hba.conf lets in what password_encryption makes.",

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

/**
 * The superuser secret's new version, where the refused one is being replaced: between its own setSecret and finishSecret
 * the server has the new password, and AWSCURRENT the old one. No version is tried twice.
 */
async function nextAdministrator(context: SetSecretContext, refused: Credential): Promise<Credential> {
  const { current, superusers } = context;
  return await context.patiently(
    async () => {
      const read = await superusers.read(current);
      if (read.versionId !== refused.versionId) return read;
      throw passwordNotAccepted(refused, 'Rotate or correct the superuser secret that "masterarn" names.');
    },
    async ({ code }) => code === 'PASSWORD_NOT_ACCEPTED' && (await superusers.isRotating(current)),
  );
}

/** As the administrator: makes or mends the twin, sets the pending password and proves it, under the base role's lock. */
async function changeTwin(
  context: SetSecretContext,
  roles: RoleSession,
  administrator: Credential,
  change: TwinChange,
): Promise<Applied> {
  const role = await roles.twins.lock(change.base);
  const changed = await role.applyTwin(change, context.guard);
  if (changed.verdict === 'already-current')
    return { outcome: changed.verdict, credential: 'superuser', proven: false };
  const isProven = await provePending(context, roles, administrator, 2 * changed.computing);
  const isReleased = await role.release().catch(() => false);
  return {
    outcome: 'done',
    credential: 'superuser',
    proven: isProven && isReleased,
    notice: changed.actsAsItself ? ownsObjects(change.twin, change.base) : undefined,
  };
}

/**
 * By the way that applications take. Where the twin gets no session, the administrator's looks at what one would show. A
 * replica may hear of the new password later: that is left to testSecret, which waits for it.
 *
 * @returns whether the login was made.
 */
async function provePending(
  context: SetSecretContext,
  roles: RoleSession,
  administrator: Credential,
  computing: number,
): Promise<boolean> {
  const { pending } = context;
  if (!isSameServer(administrator.secret, pending.secret)) return false;
  const { proof } = await prove(
    context,
    pending,
    async (session) => verifyTwin(session, await session.twins.describeUser(), pending),
    {
      within: Math.min(PROOF_WITHIN + computing, context.deadline.remaining()),
      address: roles.address,
      whenRefused: alternatingUsers.whenPendingIsRefused,
    },
  );
  if (proof === 'session') return true;
  await verifyTwin(roles, await roles.twins.describeUser(pending.secret.username), pending);
  return true;
}

/** The other of the two names: without the suffix where the user is a member of that role, which makes it no user of its own. */
function nameOfOther(current: Credential, { namesake, asTwin }: UserFacts): string {
  const { username } = current.secret;
  if (namesake !== null && asTwin !== null && (asTwin.membership !== 'none' || asTwin.setToBase)) return namesake;

  const bytes = Buffer.byteLength(username + TWIN_SUFFIX);
  if (bytes > MAX_NAME_BYTES) throw nameTooLong(current, bytes);
  return username + TWIN_SUFFIX;
}

/**
 * Whether two roles are proven to be twins: an administrator made the one a member of the other, and besides it acts as the
 * other by a setting of its own, or the secret knows a password of the login that is not current.
 */
async function isLinked(
  { membership, setToBase, superuser }: TwinLink,
  current: Credential,
  other: string,
  context: StrategyContext,
): Promise<boolean> {
  return !superuser && membership === 'granted' && (setToBase || (await logsInAsOther(current, other, context)));
}

/** That the server takes the password is enough: a twin with NOLOGIN is mended. */
async function logsInAsOther(current: Credential, username: string, context: StrategyContext): Promise<boolean> {
  const others = candidates(context, current, { username, from: ['previous', 'own', 'unlabelled'], seen: [] });
  for await (const candidate of others) {
    if (context.recentLogins.get(candidate) !== undefined) return true;
    const outcome = await context.tryPassword(candidate, (roles) => Promise.resolve(roles.request));
    if (outcome.accepted === false) continue;
    const request = outcome.accepted === true ? outcome.value : outcome.request;
    // Who let everybody in has proven nothing.
    if (request === undefined) continue;
    context.recentLogins.add(candidate, { scram: request.method === 'scram-sha-256' });
    return true;
  }
  return false;
}

async function proveCurrent(current: Credential, context: StrategyContext): Promise<UserFacts> {
  const outcome = await context.patiently(() => context.withLogin(current, (roles) => roles.twins.describeUser()));
  if (!outcome.accepted) {
    throw passwordNotAccepted(
      current,
      "As an administrator set the password that AWSCURRENT holds (in psql: \\password {role}), check that the role exists and its VALID UNTIL (\\du), then rotate again; if the database was restored from a snapshot, it has the password of then: AWSPREVIOUS's, maybe.",
    );
  }
  if (outcome.value.superuser) throw isSuperuser(current);
  context.recentLogins.add(current, outcome.value);
  return outcome.value;
}

/** Which of the two is the base role follows from the names; that they are twins is checked again in the database. */
function twinsOf(current: Credential, pending: Credential): { readonly base: string; readonly twin: string } {
  const now = needRoles(current).username;
  const next = pending.secret.username;
  if (isSameServer(current.secret, pending.secret)) {
    if (next === now + TWIN_SUFFIX) return { base: now, twin: next };
    if (now === next + TWIN_SUFFIX) return { base: next, twin: now };
  }
  throw pendingMismatch(pending, `for the twin of ${now} on the current version's host and port`);
}

/** What the application relies on: the twin acts as the base role, or has at least what the base role has. */
async function verifyTwin(roles: RoleSession, user: UserFacts, pending: Credential): Promise<void> {
  const { namesake: base, asTwin } = user;
  if (base === null || asTwin === null) return;
  if (asTwin.membership !== 'granted') {
    if (asTwin.setToBase) throw twinNotLinked(base, pending.secret.username, asTwin).with(credentialFacts(pending));
    return;
  }
  // Acting as the same role, it has the same privileges by definition, and there is nothing to compare.
  if (user.actsAs === user.namesakeActsAs) return;
  const missing = await roles.twins.missingPrivileges(base, pending.secret.username);
  if (missing > 0) throw twinDiffers(pending, base, missing);
  // It is set to act as the base role and does not, or acts as a third role that the base role does not act as.
  if (asTwin.setToBase || user.actsAs !== pending.secret.username) throw actsOtherwise(pending, base, user);
}

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
