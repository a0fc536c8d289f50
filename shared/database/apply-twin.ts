import { escapeIdentifier } from 'pg';
import { quotedName, RotationError } from '../errors.ts';
import type { Guard, TwinChange, TwinOutcome, TwinPreview } from '../rotation/ports.ts';
import { changeRole } from './change-role.ts';
import { formUnknown } from './connect-error.ts';
import type { ForeseenVerifier } from './foreseen-verifier.ts';
import { changeSettings, storedForm } from './password-change.ts';
import { lockAgain, type OpenedRole } from './role-lock.ts';
import { needSpellable } from './role-names.ts';
import { actAsOneself, majorVersion } from './server-traits.ts';
import type { SqlSession } from './session.ts';
import type { DatabaseSettings } from './settings.ts';
import { planTwin } from './twin-plan.ts';
import { readTwinState, type TwinState } from './twin-state.ts';

/** What a rotation would do with the twins; nothing is changed. */
export async function previewTwin(
  session: SqlSession,
  settings: DatabaseSettings,
  change: Omit<TwinChange, 'password' | 'scram'>,
): Promise<TwinPreview> {
  const { base, twin, database } = change;
  needSpellable(session, [base, twin]);
  const version = majorVersion(session);
  await session.begin(`SET LOCAL TRANSACTION READ ONLY; ${actAsOneself(session)}`);
  const state = await readTwinState(session, base, twin, { version, database });
  const plan = await planFor(state, change, { setRole: settings.alternatingSetRole, version });
  await session.rollback();
  return { exists: state.twin !== null, statements: plan.statements.length, actsAsItself: plan.actsAsItself };
}

/**
 * One transaction, under the base role's lock: look, refuse or plan, make and mend what differs, take the row of the role
 * whose password it is, ask the guard, set the password.
 *
 * @param foreseen what is stored as a rule.
 */
export async function applyTwin(
  session: SqlSession,
  opened: OpenedRole,
  settings: DatabaseSettings,
  change: TwinChange,
  guard: Guard,
  foreseen?: ForeseenVerifier,
): Promise<TwinOutcome> {
  const { server, twins, actAsBefore } = opened;
  const { base, twin, username, password, scram, database } = change;
  needSpellable(session, [base, twin]);
  const actor = session.login.username;
  // The other login's stored form, which applications are known to get in by, can't be seen; md5 might keep them out.
  if (scram === undefined && server.method === 'md5') throw formUnknown(session.login);
  const { verifier: stored, computing } = await storedForm(session, server, settings.passwordHashing, {
    username,
    password,
    scram: scram === true,
    actor,
    foreseen,
  });
  const version = majorVersion(session);
  let actsAsItself = false;
  const plan = async () => {
    const state = await readTwinState(session, base, twin, { version, database });
    const planned = await planFor(state, change, { setRole: settings.alternatingSetRole, version });
    ({ actsAsItself } = planned);
    return planned.statements;
  };
  try {
    const isChanged = await changeRole(session, server, {
      locked: base,
      opening: `${changeSettings(session, server, scram === true)} ${version >= 16 ? "SET LOCAL createrole_self_grant = '';" : ''} ${actAsBefore} ${lockAgain(opened, base)}`,
      plan,
      exists: twins.includes(username),
      alter: `ALTER ROLE ${escapeIdentifier(username)}`,
      stored: [stored],
      isWanted: async () => (await guard()) === 'proceed',
    });
    return isChanged ? { verdict: 'changed', computing, actsAsItself } : { verdict: 'already-current' };
  } catch (error) {
    throw isDenied(error) ? lackingAdminOption(error, actor, [base, twin]) : error;
  }
}

/** Whether a login has proven the link is asked only where the plan depends on it. */
async function planFor(
  state: TwinState,
  { base, twin, username, proven }: Pick<TwinChange, 'base' | 'twin' | 'username' | 'proven'>,
  rules: { readonly setRole: boolean; readonly version: number },
) {
  const { link } = state;
  const provenByLogin = link?.membership === 'granted' && !(link.maySet && link.setToBase) && (await proven());
  return planTwin(state, { base, twin, username }, { ...rules, provenByLogin });
}

/** What the plan could not foresee, such as of a member of rds_superuser, the server's own refusal. */
function isDenied(error: unknown): error is RotationError {
  return error instanceof RotationError && error.code === 'PERMISSION_DENIED' && error.facts.reason === '42501';
}

/** From PostgreSQL 16 on, whoever changes a role needs ADMIN OPTION on it, members of rds_superuser included. */
function lackingAdminOption(error: RotationError, actor: string, roles: readonly string[]): RotationError {
  const grants = roles.map((role) => `GRANT ${quotedName(role)} TO ${quotedName(actor)} WITH ADMIN OPTION;`);
  return error.withRemedy(
    `${grants.join(' ')} (by a role that has it; the second, once that role exists). ${error.template}`,
  );
}
