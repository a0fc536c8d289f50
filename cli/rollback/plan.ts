/** Whether and how a secret can go back to AWSPREVIOUS: pure. */
import type { StrategyName } from '../../shared/rotation/strategy.ts';
import { areTwinsByName, type DatabaseSecret, isSameServer } from '../../shared/secret/database-secret.ts';
import { type CommandError, refused } from '../failures.ts';
import { type LoginProof, loginName } from '../login.ts';
import type { PendingJudgement } from '../pending-version.ts';

export type RollbackPlan =
  /** The server accepts AWSPREVIOUS's login as it is. */
  | { readonly way: 'move-label' }
  /** By AWSCURRENT's session its password is set first. */
  | { readonly way: 'set-password' }
  | { readonly way: 'refused'; readonly error: CommandError };

export interface RollbackFacts {
  /** Of the secret. */
  readonly name: string;
  readonly strategy: StrategyName;
  readonly current: DatabaseSecret;
  readonly previous: DatabaseSecret;
  /** Undefined where no version is pending. */
  readonly pending: PendingJudgement | undefined;
  /** What the server says to AWSPREVIOUS. */
  readonly proof: LoginProof;
  /** What it says to AWSCURRENT; undefined where that was not asked, as it does not matter. */
  readonly currentProof: LoginProof | undefined;
}

type Refusal = (code: string, message: string, remedy: string) => RollbackPlan;

export function planRollback(facts: RollbackFacts): RollbackPlan {
  const { name, strategy, current, previous, pending, proof } = facts;
  const no: Refusal = (code, message, remedy) => ({
    way: 'refused',
    error: refused(code, `${message.replace(/\.$/, '')}; nothing was changed.`, remedy),
  });
  if (pending !== undefined && !pending.mayBeCleared) {
    const what = pending.condition === 'failed' ? 'one has failed, which the service tries again' : 'one runs';
    return no(
      'ROTATION_UNDER_WAY',
      `No rotation may be under way, and ${what}`,
      `See how it is: rotation status ${name}`,
    );
  }
  const sameUser = current.username === previous.username;
  const isTwin = strategy === 'alternating-users' && areTwinsByName(current, previous);
  if (!isSameServer(current, previous) || !(sameUser || isTwin)) {
    return no(
      'OTHER_LOGIN',
      `AWSPREVIOUS must hold a login of the same user or its twin on the same server, and it is ${loginName(previous)}`,
      'Move the label by hand, if that is what applications need: aws secretsmanager update-secret-version-stage',
    );
  }
  switch (proof.outcome) {
    case 'accepted':
      if (proof.unfit === undefined) return { way: 'move-label' };
      return no(proof.unfit.code, proof.unfit.message, proof.unfit.remedy);
    case 'refused':
      // Nobody but the user itself may set its password here, and another user is not logged in.
      if (sameUser) return planSetting(facts, no);
      return no(
        'PREVIOUS_NOT_ACCEPTED',
        `The server must accept AWSPREVIOUS's login ${loginName(previous)}, and it refuses it`,
        `A rotation sets its password anew, and makes it current: rotation now ${name}`,
      );
    case 'failed':
      return no(proof.error.code, proof.error.message, proof.error.remedy);
    default: {
      const never: never = proof;
      return never;
    }
  }
}

/** By the session of AWSCURRENT, which there has to be. */
function planSetting({ name, currentProof: proof }: RollbackFacts, no: Refusal): RollbackPlan {
  if (proof?.outcome === 'accepted' && proof.unfit === undefined) return { way: 'set-password' };
  const error = proof?.outcome === 'accepted' ? proof.unfit : proof?.outcome === 'failed' ? proof.error : undefined;
  if (error !== undefined) return no(error.code, error.message, error.remedy);
  return no(
    'NO_WORKING_PASSWORD',
    "The server must accept AWSCURRENT's login or AWSPREVIOUS's, and it refuses both",
    `See what it does accept: rotation doctor ${name}`,
  );
}
