// Kysely: https://kysely.dev
import { Kysely, PostgresDialect, sql } from 'kysely';
import { rotatingPool, secretLogin } from 'postgres-secret-rotation/client';

const login = secretLogin({ secretId: process.env.SECRET_ID });
const db = new Kysely({
  dialect: new PostgresDialect({ pool: rotatingPool(login, { max: 20, connectionTimeoutMillis: 10_000 }) }),
});

export async function currentUser() {
  const { rows } = await sql`SELECT current_user AS name`.execute(db);
  return rows[0].name;
}

export const close = () => db.destroy();
