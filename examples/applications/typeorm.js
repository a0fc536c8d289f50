// TypeORM: https://typeorm.io
import pg from 'pg';
import { rotatingPool, secretLogin } from 'postgres-secret-rotation/client';
import { DataSource } from 'typeorm';

const login = secretLogin({ secretId: process.env.SECRET_ID });
const pool = rotatingPool(login, { max: 20, connectionTimeoutMillis: 10_000 });

/** What TypeORM makes its pool with. */
function Pool() {
  return pool;
}

const { dbname } = await login.current();
const source = new DataSource({ type: 'postgres', driver: { ...pg, Pool }, database: dbname });
await source.initialize();

export async function currentUser() {
  const [row] = await source.query('SELECT current_user AS name');
  return row.name;
}

export const close = () => source.destroy();
