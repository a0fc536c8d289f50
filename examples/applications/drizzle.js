// Drizzle: https://orm.drizzle.team
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { rotatingPool, secretLogin } from 'postgres-secret-rotation/client';

const login = secretLogin({ secretId: process.env.SECRET_ID });
const pool = rotatingPool(login, { max: 20, connectionTimeoutMillis: 10_000 });
const db = drizzle({ client: pool });

export async function currentUser() {
  const { rows } = await db.transaction((tx) => tx.execute(sql`SELECT current_user AS name`));
  return rows[0].name;
}

export const close = () => pool.end();
