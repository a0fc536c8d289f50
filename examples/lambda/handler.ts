/** A Lambda function that reads with the login that is right now: one pool a module, one session an instance. */
import { rotatingPool, secretLogin } from 'postgres-secret-rotation/client';

const login = secretLogin({ secretId: process.env.SECRET_ID ?? '' });
const pool = rotatingPool(login, { max: 1, connectionTimeoutMillis: 10_000 });
// A session that the server has ended while the instance was frozen.
pool.on('error', (error: Error) => console.error(error.message));

export async function handler(): Promise<{ readonly user: string }> {
  const { rows } = await pool.query('SELECT current_user AS user');
  return { user: String(rows[0]?.user) };
}
