/** What all logins together say, and what comes next: pure. */
import type { RotationErrorCode } from '../../shared/errors.ts';
import { isOnlyFromHere, loginName } from '../login.ts';
import type { LoginFacts } from './database-checks.ts';
import { type Check, type Finding, LOGIN_CHECKS } from './finding.ts';
import type { Fix } from './fixes.ts';

/** Whether applications are locked out now. */
export interface Verdict {
  readonly answer: 'no' | 'yes' | 'unknown';
  /** The end of a sentence that begins with the answer. */
  readonly message: string;
}

/** What our driver or our rules refuse, and an application may well do without. */
const OURS_ALONE: readonly RotationErrorCode[] = [
  'AUTHENTICATION_UNSUPPORTED',
  'SCRAM_ITERATIONS_TOO_HIGH',
  'DATABASE_BEHIND_PROXY',
  'ROLE_NAME_ENCODING',
  'TLS_NOT_SUPPORTED',
  'TLS_UNTRUSTED_CERTIFICATE',
  'TLS_WRONG_HOST',
  'TLS_FAILED',
];

/** Applications log in with what AWSCURRENT holds: only a login with it can tell. */
export function judgeLockout(logins: readonly LoginFacts[], why: string | undefined): Verdict {
  const current = logins.find(({ label }) => label === 'AWSCURRENT');
  if (current === undefined) return { answer: 'unknown', message: why ?? 'no login was tried' };
  const name = loginName(current.secret);
  const { proof } = current;
  switch (proof.outcome) {
    case 'accepted':
      return { answer: 'no', message: `the server accepts ${name}, which AWSCURRENT holds` };
    case 'refused': {
      const other = logins.find((login) => login !== current && login.proof.outcome === 'accepted');
      const accepted = other === undefined ? '' : `, and accepts the one of ${other.label}`;
      return {
        answer: 'yes',
        message: `the server refuses the password of ${name}, which AWSCURRENT holds${accepted}`,
      };
    }
    case 'failed': {
      const { error } = proof;
      const message = `${error.message.replace(/\.$/, '')} (${error.code})`;
      if (isOnlyFromHere(error)) return { answer: 'unknown', message: `${message}, which may be so from here alone` };
      if (!OURS_ALONE.includes(error.code)) return { answer: 'yes', message };
      return { answer: 'unknown', message: `${message}, which stops rotations; applications may get in all the same` };
    }
    default: {
      const never: never = proof;
      return never;
    }
  }
}

const LOGINS: ReadonlySet<Check> = new Set(LOGIN_CHECKS);

export interface Prospects {
  readonly name: string;
  /** Those that are not mended yet. */
  readonly broken: readonly Finding[];
  /** What may be repaired now, and was not. */
  readonly fix: Fix | undefined;
  readonly fixed: boolean;
  /** From when on something may be repaired. */
  readonly waitsUntil: Date | undefined;
  readonly verdict: Verdict;
}

/** The one thing to do now; undefined where there is nothing. */
export function nextStep({ name, broken, fix, fixed, waitsUntil, verdict }: Prospects): string | undefined {
  if (fix !== undefined && !fixed) return `rotation doctor ${name} --fix`;
  if (waitsUntil !== undefined) {
    return `a rotation may be under way until ${waitsUntil.toISOString().slice(11, 16)} UTC; after that: rotation doctor ${name} --fix`;
  }
  const ofLogin = verdict.answer === 'yes' ? broken.find(({ check }) => LOGINS.has(check)) : undefined;
  const first = ofLogin ?? broken[0];
  if (first !== undefined) return `${toType(first, name)}; then: rotation doctor ${name}`;
  return fixed ? `rotation now ${name}` : undefined;
}

/** The remedy; where that is to correct a member of the secret, the command that does. */
function toType({ remedy, check }: Finding, name: string): string {
  const said = remedy?.replace(/[.;]$/, '') ?? check;
  return said.replace(/^Correct "(host|port|dbname|username)" in the secret/, `rotation update ${name} --$1 …`);
}
