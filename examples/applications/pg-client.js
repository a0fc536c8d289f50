// node-postgres without a pool: the loop that works for every driver that takes user and password.
import pg from 'pg';
import { isRefusedPassword, secretLogin } from 'postgres-secret-rotation/client';

const login = secretLogin({ secretId: process.env.SECRET_ID });

async function connect() {
  for (;;) {
    const { username: user, password, host, port, dbname: database, ssl, versionId } = await login.current();
    const client = new pg.Client({ user, password, host, port, database, ssl });
    try {
      await client.connect();
      return client;
    } catch (error) {
      if (!isRefusedPassword(error) || !(await login.refused(versionId))) throw error;
    }
  }
}

export async function currentUser() {
  const client = await connect();
  try {
    const { rows } = await client.query('SELECT current_user AS name');
    return rows[0].name;
  } finally {
    await client.end();
  }
}

export const close = async () => {};
