// postgres.js: https://github.com/porsager/postgres

import postgres from 'postgres';
import { isRefusedPassword, secretLogin } from 'postgres-secret-rotation/client';

const login = secretLogin({ secretId: process.env.SECRET_ID });
let sql;
let versionOfSql;

/** It asks for a password only, never for a user: another login is another instance. Sessions in use end by themselves. */
async function connected() {
  const { username: user, password, host, port, dbname: database, ssl, versionId } = await login.current();
  if (versionId !== versionOfSql) {
    sql?.end({ timeout: 60 });
    versionOfSql = versionId;
    sql = postgres({ user, password, host, port, database, ssl, max: 20, onnotice: () => {} });
  }
  return { sql, versionId };
}

/** @param work one statement or one transaction, which is begun anew where it could not log in. */
async function withSql(work) {
  for (;;) {
    const { sql, versionId } = await connected();
    try {
      return await work(sql);
    } catch (error) {
      if (!isRefusedPassword(error) || !(await login.refused(versionId))) throw error;
    }
  }
}

export async function currentUser() {
  const [row] = await withSql((sql) => sql`SELECT current_user AS name`);
  return row.name;
}

export const close = () => sql?.end();
