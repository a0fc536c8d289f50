/** What libpq takes from the environment to log in as a secret says; pure but for the look at certificates and names. */

import { lookup } from 'node:dns/promises';
import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSecret } from '../shared/secret/database-secret.ts';
import { EXIT } from './exit-codes.ts';
import { CommandError, refused } from './failures.ts';
import { certificateBundleFor, isRdsHost } from './rds-host.ts';

/** Of the operator's own PG* variables those that neither say where to log in and as whom nor weaken TLS. */
const KEPT = ['PGAPPNAME', 'PGCLIENTENCODING', 'PGCONNECT_TIMEOUT', 'PGDATESTYLE', 'PGTZ'];

export interface Trust {
  /** --ca-file. */
  readonly caFile: string | undefined;
}

/**
 * The environment of a program that is to log in: the operator's own without its PG*, and the secret's.
 *
 * TLS is verified, chain and name (`verify-full`), unless the secret says `"ssl": false`.
 *
 * @throws CommandError where no file of certificates is known that the server's could be verified with.
 */
export async function pgEnvironment(
  secret: DatabaseSecret,
  { caFile }: Trust,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<NodeJS.ProcessEnv> {
  const others = Object.entries(environment).filter(([name]) => !name.startsWith('PG') || KEPT.includes(name));
  const tls =
    secret.ssl === false
      ? { PGSSLMODE: 'disable' }
      : { PGSSLMODE: 'verify-full', PGSSLROOTCERT: rootCertificates(secret, caFile ?? environment.PGSSLROOTCERT) };
  return {
    ...Object.fromEntries(others),
    ...(await hostOf(secret)),
    PGPORT: String(secret.port),
    PGUSER: secret.username,
    PGPASSWORD: secret.password.reveal(),
    PGDATABASE: secret.dbname,
    // With a Kerberos ticket libpq would prefer GSSAPI, and verify no certificate.
    PGGSSENCMODE: 'disable',
    ...tls,
  };
}

/** libpq verifies the name in PGHOST; where the certificate has another, PGHOSTADDR says where the server is. */
async function hostOf({ host, sslHostname }: DatabaseSecret): Promise<NodeJS.ProcessEnv> {
  if (sslHostname === undefined) return { PGHOST: host };
  if (isIP(host) !== 0) return { PGHOST: sslHostname, PGHOSTADDR: host };
  try {
    return { PGHOST: sslHostname, PGHOSTADDR: (await lookup(host)).address };
  } catch (error) {
    const code = error instanceof Error ? Reflect.get(error, 'code') : undefined;
    throw new CommandError(
      'DATABASE_HOST_NOT_FOUND',
      `The address of ${host} was needed, and there is none (${code}).`,
      {
        exitCode: EXIT.error,
        remedy: 'Run it where the name resolves, such as in the VPC.',
      },
    );
  }
}

/** RDS's certificate authorities are Amazon's own: no operating system has them, and libpq brings none. */
function rootCertificates({ host }: DatabaseSecret, given: string | undefined): string {
  if (given !== undefined && given !== '') return given;
  const own = join(homedir(), '.postgresql', 'root.crt');
  if (existsSync(own)) return own;
  if (isRdsHost(host)) {
    throw refused(
      'NO_CA_FILE',
      `The certificates of RDS were needed to verify ${host}, and no system has them.`,
      `Download them once (curl -O ${certificateBundleFor(host)}) and give --ca-file, or name the file in ROTATION_CA_FILE or PGSSLROOTCERT.`,
    );
  }
  // libpq 16 and later; an older one takes it for a file that is not there, and refuses to connect.
  return 'system';
}
