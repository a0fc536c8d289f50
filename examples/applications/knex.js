// Knex 3.3 and later: https://knexjs.org
import knex from 'knex';
import { rotatingPool, secretLogin } from 'postgres-secret-rotation/client';

const login = secretLogin({ secretId: process.env.SECRET_ID });
const pool = rotatingPool(login, { max: 20, connectionTimeoutMillis: 10_000 });
const db = knex({ client: 'pg', connectionPool: pool });

export async function currentUser() {
  const { rows } = await db.raw('SELECT current_user AS name');
  return rows[0].name;
}

export async function close() {
  await db.destroy();
  await pool.end();
}
