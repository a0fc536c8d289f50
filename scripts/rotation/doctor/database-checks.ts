/** Checks that log in: what the server says to each credential, and what alternating users need besides. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { RotationError } from '../../../shared/rotation/errors.ts';
import type { DatabaseSecret } from '../../../shared/secrets/database-secret.ts';
import { isOnlyFromHere, type LoginProof, loginName } from '../login.ts';
import { broken, type Finding, ok, unknown, warning } from './finding.ts';

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

/** The connection and its protection, from the first login's outcome; pure. */
export function judgeConnection({ secret, proof }: LoginFacts, trustsOtherFile: boolean): Finding[] {
  if (proof.outcome !== 'failed') return [judgeProtection(secret)];
  const { error } = proof;
  if (error.code === 'TLS_UNTRUSTED_CERTIFICATE') {
    const mayTrust = trustsOtherFile || /\.rds\.amazonaws\.com(\.cn)?$/.test(secret.host);
    const more = 'the function trusts more certificates than this machine; give them with --ca-file';
    return [mayTrust ? unknown('TLS', `${error.message} But ${more}.`) : broken('TLS', error.message, error.remedy)];
  }
  if (error.code.startsWith('TLS_')) return [broken('TLS', error.message, error.remedy)];
  if (isOnlyFromHere(error)) return [unknown('connection', `${error.message} (from this machine)`)];
  return [judgeProtection(secret)];
}

function judgeProtection({ ssl, host }: DatabaseSecret): Finding {
  if (ssl !== false) return ok('TLS', `the certificate of ${host} is trusted and is for that name`);
  const remedy = 'Turn TLS on in the server and remove "ssl": false from the secret.';
  return warning('TLS', 'the secret says "ssl": false, so everything but the password\'s proof goes in clear', remedy);
}

/** What a login with one labelled credential says; pure. */
export function judgeLogin({ label, secret, proof }: LoginFacts, alternating: boolean): Finding {
  const check = `login ${label}`;
  const name = loginName(secret);
  switch (proof.outcome) {
    case 'accepted':
      return ok(check, `the server accepts ${name}`);
    case 'refused':
      return judgeRefusal(label, name, secret, alternating);
    case 'failed':
      return judgeFailure(check, proof.error);
    default: {
      const never: never = proof;
      return never;
    }
  }
}

function judgeRefusal(label: Label, name: string, { username }: DatabaseSecret, alternating: boolean): Finding {
  const check = `login ${label}`;
  if (label === 'AWSPENDING') return ok(check, `the server does not know the password of ${name} yet`);
  if (label === 'AWSPREVIOUS' && !alternating)
    return ok(check, `the server refuses ${name}, as it should: it was replaced`);
  if (label === 'AWSPREVIOUS') {
    const remedy = 'The next rotation sets it; applications that still hold it must read the secret again.';
    return warning(check, `the server refuses ${name}, the other of the two logins`, remedy);
  }
  const remedy = `If AWSPENDING's login works: rotation doctor --fix. Else set the password that AWSCURRENT holds, in psql: \\password ${username}`;
  return broken(check, `the server refuses the password of ${name}, which applications read`, remedy);
}

function judgeFailure(check: string, error: RotationError): Finding {
  if (isOnlyFromHere(error)) return unknown(check, `no login from this machine now (${error.code})`);
  return broken(check, error.message, error.remedy);
}
