import pg from 'pg';
import {
  isRefusedPassword,
  type RotatingPool,
  rotatingPool,
  type SecretLogin,
  secretLogin,
} from '../../client/index.ts';
import { clientOf } from './secrets-lab-client.ts';

/** The login of a secret in the lab, with a client of Secrets Manager of its own, and so known to nobody else. */
export function labLogin(
  lab: { readonly endpoint: string },
  secretId: string,
  options: { readonly caFile?: string; readonly timeoutMillis?: number } = {},
): SecretLogin {
  return secretLogin({ ...options, secretId, client: clientOf(lab) });
}

/** A pool that makes a session for each login, since it keeps none. */
export function poolOfOneQuery(login: SecretLogin): RotatingPool {
  return rotatingPool(login, { max: 20, maxUses: 1, connectionTimeoutMillis: 10_000 });
}

/** One login by a client of the driver's own, as docs/applications.md shows it. */
export async function logInByHand(login: SecretLogin): Promise<void> {
  for (;;) {
    const { username, password, host, port, dbname, ssl, versionId } = await login.current();
    const client = new pg.Client({ host, port, user: username, password, database: dbname, ssl });
    // A session that breaks off tells so by its next statement too.
    client.on('error', () => {});
    try {
      await client.connect();
      return await client.end();
    } catch (error) {
      if (!isRefusedPassword(error) || !(await login.refused(versionId))) throw error;
    }
  }
}
