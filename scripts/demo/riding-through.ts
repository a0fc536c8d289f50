import pg from 'pg';
import { isRefusedPassword, type SecretLogin, secretLogin } from '../../client/index.ts';
import type { Lab } from '../lab/lab.ts';
import { rotate } from '../lab/rotate.ts';
import type { StoredApplication } from '../lab/seed.ts';
import { ApplicationClient } from './application-client.ts';
import type { Page } from './page.ts';
import { logIn } from './proof.ts';
import { historyOf, loginOf } from './secret-history.ts';

/** Of each application, before the rotation and after it. */
const LOGINS_AROUND = 5;

/** Rotates while two applications log in: one with AWSCURRENT as it is, the other with this project's client. */
export async function showRidingThrough(
  lab: Lab,
  page: Page,
  { secretArn }: StoredApplication,
  signal: AbortSignal,
): Promise<void> {
  page.paragraph(
    'Between setSecret and finishSecret the server takes the new password, and AWSCURRENT still holds the old one. An',
    "application that fetches AWSCURRENT for each login is refused meanwhile; one with this project's client tries",
    'AWSPENDING then.',
  );
  const login = secretLogin({ secretId: secretArn, client: lab.client });
  const fetching = new ApplicationClient({
    credential: () => loginOf(lab, secretArn),
    logIn: (each) => logIn(lab, each),
    signal,
  });
  const riding = new ApplicationClient({
    credential: async () => {
      const { username: user, password } = await login.current();
      return { user, password };
    },
    logIn: () => logInBy(login),
    signal,
  });
  try {
    await Promise.all([fetching.logInAgain(LOGINS_AROUND), riding.logInAgain(LOGINS_AROUND)]);
    const before = await historyOf(lab, secretArn);
    const outcome = await rotate(lab, secretArn);
    await Promise.all([fetching.logInAgain(LOGINS_AROUND), riding.logInAgain(LOGINS_AROUND)]);
    page.rotation('Third rotation', outcome, { before, after: await historyOf(lab, secretArn) });
    page.check('the rotation succeeded', outcome.succeeded);
  } finally {
    await Promise.all([fetching.stop(), riding.stop()]);
  }
  page.table([
    ['application', { right: 'logins tried' }, { right: 'refused' }],
    ['with AWSCURRENT at each login', fetching.tried, fetching.refused],
    ["with this project's secretLogin()", riding.tried, riding.refused],
  ]);
  page.check('no login of the application with the client was refused', riding.refused === 0, riding.problems);
  page.space();
}

async function logInBy(login: SecretLogin): Promise<void> {
  const { username: user, password, host, port, dbname: database, ssl, versionId } = await login.current();
  const client = new pg.Client({ user, password, host, port, database, ssl });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('SELECT 1');
  } catch (error) {
    if (!isRefusedPassword(error) || !(await login.refused(versionId))) throw error;
    return await logInBy(login);
  } finally {
    await client.end();
  }
}
