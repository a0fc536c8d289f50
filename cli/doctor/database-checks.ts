/** Checks that log in: what the server says to each credential, and what alternating users need besides. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { quotedName, type RotationError } from '../../shared/errors.ts';
import type { DatabaseSecret } from '../../shared/secret/database-secret.ts';
import { isOnlyFromHere, type LoginProof, loginName } from '../login.ts';
import { isRdsHost } from '../rds-host.ts';
import { broken, type Check, type Finding, ok, unknown, warning } from './finding.ts';

export async function checkName({ host }: DatabaseSecret, inVpc: boolean): Promise<Finding> {
  if (isIP(host) !== 0) return ok('DNS', `${host} is an address`);
  try {
    const { address } = await lookup(host);
    if (!inVpc && isPrivate(address)) {
      const remedy =
        "Give the function subnets and security groups of the database's VPC (SubnetIds, SecurityGroupIds).";
      return broken('DNS', `${host} is ${address}, a private address, and the function is in no VPC`, remedy);
    }
    return ok('DNS', `${host} is ${address}`);
  } catch {
    const from = `${host} does not resolve on this machine`;
    if (inVpc) return unknown('DNS', `${from}; the function's VPC may know it`);
    return broken('DNS', `${from}, and the function is in no VPC that could know it`, 'Correct "host" in the secret.');
  }
}

const isPrivate = (address: string) => /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)/.test(address);

export type Label = 'AWSCURRENT' | 'AWSPENDING' | 'AWSPREVIOUS';

export interface LoginFacts {
  readonly label: Label;
  readonly secret: DatabaseSecret;
  readonly proof: LoginProof;
}

export interface TrustFacts {
  /** Whether the function has certificates (DB_CA_FILE) that this machine was not given. */
  readonly otherFile: boolean;
  /** Whether the server has no TLS, and TLS_FALLBACK lets a secret without "ssl" do without. */
  readonly fallenBack: boolean;
}

/** The connection and its protection, from the first login's outcome; pure. */
export function judgeConnection({ secret, proof }: LoginFacts, trust: TrustFacts): Finding[] {
  if (proof.outcome !== 'failed') return [judgeProtection(secret, trust)];
  const { error } = proof;
  if (error.code === 'TLS_UNTRUSTED_CERTIFICATE') {
    // Amazon's roots, which Lambda trusts and Node.js does not.
    const mayTrust = trust.otherFile || isRdsHost(secret.host);
    const more = 'the function trusts more certificates than this machine; give them with --ca-file';
    return [mayTrust ? unknown('TLS', `${error.message} But ${more}.`) : broken('TLS', error.message, error.remedy)];
  }
  if (error.code.startsWith('TLS_')) return [broken('TLS', error.message, error.remedy)];
  if (isOnlyFromHere(error)) return [unknown('connection', `${error.message} (from this machine)`)];
  // Refused before anything was sent, or before TLS was spoken of: nothing is known of it.
  if (error.code === 'DATABASE_BEHIND_PROXY') return [];
  return [judgeProtection(secret, trust)];
}

function judgeProtection({ ssl, host }: DatabaseSecret, { fallenBack }: TrustFacts): Finding {
  const clear = 'so all goes in clear, the password too where the server asks for it that way';
  if (ssl === false) {
    const remedy = 'Turn TLS on in the server and remove "ssl": false from the secret.';
    return warning('TLS', `the secret says "ssl": false, ${clear}`, remedy);
  }
  if (fallenBack) {
    const remedy = 'Turn TLS on in the server, then take TLS_FALLBACK=allow from the function.';
    return warning('TLS', `${host} has no TLS and TLS_FALLBACK=allow does without, ${clear}`, remedy);
  }
  return ok('TLS', `the certificate of ${host} is trusted and is for that name`);
}

/** What the server says to each labelled credential, judged together: one alone would mislead; pure. */
export function judgeLogins(logins: readonly LoginFacts[], { name, alternating }: LoginContext): Finding[] {
  const find = (label: Label) => logins.find((login) => login.label === label);
  return logins.map((login) => {
    const check = `login ${login.label}` as const;
    const { proof } = login;
    const user = loginName(login.secret);
    switch (proof.outcome) {
      case 'accepted': {
        if (proof.unfit === undefined) return ok(check, `the server accepts ${user}`);
        const fault = `the server accepts ${user}, but not for a rotation: ${proof.unfit.message}`;
        return broken(check, fault, proof.unfit.remedy);
      }
      case 'refused':
        return login.label === 'AWSCURRENT'
          ? judgeRefusedCurrent(login, logins, name)
          : judgeRefusal(login, find('AWSCURRENT'), alternating);
      case 'failed':
        return judgeFailure(check, proof.error);
      default: {
        const never: never = proof;
        return never;
      }
    }
  });
}

export interface LoginContext {
  /** Of the secret. */
  readonly name: string;
  readonly alternating: boolean;
}

function judgeRefusedCurrent({ label, secret }: LoginFacts, logins: readonly LoginFacts[], name: string): Finding {
  const message = `the server refuses the password of ${loginName(secret)}, which applications read`;
  const other = logins.find(({ proof }) => proof.outcome === 'accepted');
  if (other !== undefined) {
    const why = other.label === 'AWSPREVIOUS' ? ', as after a restore from a snapshot or a wrong put-secret-value' : '';
    const remedy = `Move AWSCURRENT to the version whose password the server has: rotation doctor ${name} --fix`;
    return broken(`login ${label}`, `${message}, and accepts the one of ${other.label}${why}`, remedy);
  }
  const user = quotedName(secret.username);
  const how = secret.engine === 'redshift' ? `ALTER USER ${user} PASSWORD …` : `in psql: \\password ${user}`;
  const remedy = `As an administrator set the password that AWSCURRENT holds, ${how}`;
  return broken(`login ${label}`, message, remedy);
}

function judgeRefusal({ label, secret }: LoginFacts, current: LoginFacts | undefined, alternating: boolean): Finding {
  const check = `login ${label}` as const;
  const name = loginName(secret);
  if (label === 'AWSPENDING') return ok(check, `the server does not know the password of ${name}, or not yet`);
  if (alternating) {
    const remedy = 'The next rotation sets it; applications that still hold it must read the secret again.';
    return warning(check, `the server refuses ${name}, the other of the two logins`, remedy);
  }
  if (current?.proof.outcome !== 'accepted') return ok(check, `the server refuses ${name} too`);
  return ok(check, `the server refuses ${name}, as it should: it was replaced`);
}

function judgeFailure(check: Check, error: RotationError): Finding {
  if (isOnlyFromHere(error)) return unknown(check, `no login from this machine now (${error.code})`);
  return broken(check, error.message, error.remedy);
}
