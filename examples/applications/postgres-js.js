// postgres.js: https://github.com/porsager/postgres

import postgres from 'postgres';
import { isRefusedPassword, secretLogin } from 'postgres-secret-rotation/client';

const login = secretLogin({ secretId: process.env.SECRET_ID });
/** By version: it asks for a password only, never for a user, so that another login is another instance. */
const instances = new Map();

async function connected() {
  const { username: user, password, host, port, dbname: database, ssl, versionId } = await login.current();
  if (!instances.has(versionId)) {
    // Sessions of the instances before end by themselves, once they are idle.
    instances.set(versionId, postgres({ user, password, host, port, database, ssl, max: 20, idle_timeout: 30 }));
  }
  return { sql: instances.get(versionId), versionId };
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

export const close = () => Promise.all(Array.from(instances.values(), (sql) => sql.end()));
