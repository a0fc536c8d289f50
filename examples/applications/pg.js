// node-postgres: https://node-postgres.com
import { rotatingPool, secretLogin } from 'postgres-secret-rotation/client';

const login = secretLogin({ secretId: process.env.SECRET_ID });
const pool = rotatingPool(login, { max: 20, connectionTimeoutMillis: 10_000, maxLifetimeSeconds: 3600 });
// Of sessions that break while nobody uses them, as with every pg.Pool.
pool.on('error', (error) => console.error(error.message));

export async function currentUser() {
  const { rows } = await pool.query('SELECT current_user AS name');
  return rows[0].name;
}

export const close = () => pool.end();
