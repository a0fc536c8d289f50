import { escapeIdentifier } from 'pg';
import type { Lab } from '../lab/lab.ts';
import { type RotationOutcome, rotate } from '../lab/rotate.ts';
import { attach, createApplication, type StoredApplication, twinOf } from '../lab/seed.ts';
import { ApplicationClient } from './application-client.ts';
import type { Page } from './page.ts';
import { asApplication, logIn, refusedLogins, useTable } from './proof.ts';
import { historyOf, type Login, loginOf } from './secret-history.ts';

const BILLING = {
  role: 'billing',
  table: 'invoices',
  secretName: 'billing/database',
  strategy: 'alternating-users',
} as const;
const ROTATIONS = ['First rotation', 'Second rotation', 'Third rotation'];
/** Of each application, after a rotation and before the next. */
const LOGINS_BETWEEN = 20;

/** Rotates while an application works, and counts the logins that it was refused. */
export async function showAlternatingUsers(lab: Lab, page: Page, signal: AbortSignal): Promise<void> {
  page.title('Alternating users: two logins of one identity take turns');
  const billing = await createApplication(lab, lab.seed.superuser, BILLING);
  // Where the application makes tables: since PostgreSQL 15 not everybody may in the schema "public".
  await lab.database.query(`CREATE SCHEMA AUTHORIZATION ${escapeIdentifier(billing.role)}`);
  page.paragraph(
    `The role ${billing.role} owns the table ${billing.table}. Its login is the secret ${billing.secretName}, which names the`,
    `superuser's secret. The first rotation makes a second login, ${twinOf(billing.role)}. All the while, an application`,
    'fetches AWSCURRENT and logs in as fast as it can, and another keeps each credential for a whole rotation.',
  );
  const attached = await attach(lab, billing, { AutomaticallyAfterDays: 30 });
  page.check('attached, and the test of the configuration passed', attached.succeeded);
  page.space();
  const refusedBefore = await refusedLogins(lab);
  const made = await rotateUnderLoad(lab, page, billing, signal);
  const refused = (await refusedLogins(lab)) - refusedBefore;
  page.check("the server's own log has no refused login", refused === 0, `${refused}`);
  page.space();
  await showOneIdentity(lab, page, billing, made);
}

/** A table that the application made, and as whom. */
interface MadeTable {
  readonly table: string;
  readonly login: Login;
}

async function rotateUnderLoad(
  lab: Lab,
  page: Page,
  billing: StoredApplication,
  signal: AbortSignal,
): Promise<MadeTable[]> {
  const { secretArn } = billing;
  const logInTo = (login: Login) => logIn(lab, login);
  const made: MadeTable[] = [];
  const keepers: ApplicationClient[] = [];
  const fetcher = new ApplicationClient({ credential: () => loginOf(lab, secretArn), logIn: logInTo, signal });
  try {
    for (const [index, name] of ROTATIONS.entries()) {
      const [kept, before] = await Promise.all([loginOf(lab, secretArn), historyOf(lab, secretArn)]);
      const keeper = new ApplicationClient({ credential: () => kept, logIn: logInTo, signal });
      keepers.push(keeper);
      const triedBefore = fetcher.tried;
      const outcome = await rotate(lab, secretArn);
      const busy = fetcher.tried > triedBefore && keeper.tried > 0;
      // Neither goes into the next rotation with a credential that it fetched before this one ended.
      await Promise.all([fetcher.logInAgain(LOGINS_BETWEEN), keeper.logInAgain(LOGINS_BETWEEN)]);
      await keeper.stop();
      page.rotation(name, outcome, { before, after: await historyOf(lab, secretArn) });
      await checkTurn(lab, page, billing, { outcome, kept, busy });
      made.push(await makeTable(lab, billing, index + 1));
    }
  } finally {
    await Promise.all([fetcher, ...keepers].map((client) => client.stop()));
  }
  showClients(page, fetcher, keepers);
  return made;
}

interface Turn {
  readonly outcome: RotationOutcome;
  /** The login that was current before. */
  readonly kept: Login;
  /** Whether both applications logged in while it went on. */
  readonly busy: boolean;
}

async function checkTurn(lab: Lab, page: Page, { secretArn, role }: StoredApplication, turn: Turn): Promise<void> {
  const { outcome, kept, busy } = turn;
  const { user } = await loginOf(lab, secretArn);
  const expected = kept.user === role ? twinOf(role) : role;
  page.check('the rotation succeeded', outcome.succeeded);
  page.check(`${expected} is current now`, user === expected, user);
  page.check('both applications logged in meanwhile', busy);
  page.space();
}

function showClients(page: Page, fetcher: ApplicationClient, keepers: readonly ApplicationClient[]): void {
  const sum = (of: (client: ApplicationClient) => number) => keepers.map(of).reduce((a, b) => a + b, 0);
  const kept = { tried: sum(({ tried }) => tried), refused: sum(({ refused }) => refused) };
  page.table([
    ['application', { right: 'logins tried' }, { right: 'refused' }],
    ['fetches AWSCURRENT before each login', fetcher.tried, fetcher.refused],
    ['keeps each credential for a whole rotation', kept.tried, kept.refused],
  ]);
  const problems = [fetcher, ...keepers].map((client) => client.problems).filter((text) => text !== '');
  page.check('no login of an application was refused', fetcher.refused + kept.refused === 0, problems.join(', '));
}

/** Under whichever login is current. */
async function makeTable(lab: Lab, { secretArn, table }: StoredApplication, number: number): Promise<MadeTable> {
  const login = await loginOf(lab, secretArn);
  const name = `${table}_${number}`;
  await asApplication(lab, login, `CREATE TABLE ${escapeIdentifier(name)} (id int PRIMARY KEY)`);
  return { table: name, login };
}

async function showOneIdentity(
  lab: Lab,
  page: Page,
  billing: StoredApplication,
  made: readonly MadeTable[],
): Promise<void> {
  const { role, table } = billing;
  const twin = twinOf(role);
  // Of each login the one made last, whose password is the one that the server takes.
  const logins = [twin, role].flatMap((user) => made.findLast(({ login }) => login.user === user) ?? []);
  const rows = await Promise.all(logins.map(({ login, table: name }) => identityOf(lab, login, name)));
  page.table([
    ['logged in as', 'current_user', 'made the table', 'owned by'],
    ...rows.map((row) => [row.session_user, row.current_user, row.made, row.owner]),
  ]);
  const isBase = rows.length === 2 && rows.every((row) => row.current_user === role);
  page.check(`${role} and ${twin} are the same current_user, ${role}`, isBase);
  const owners = rows.map(({ owner }) => owner);
  page.check(
    `what either makes belongs to ${role}`,
    rows.length === 2 && owners.every((owner) => owner === role),
    owners.join(', '),
  );
  for (const { login, table: own } of logins) {
    const others = made.filter((each) => each.table !== own && each.login.user !== login.user);
    const alterations = others.map(
      (each) => `ALTER TABLE ${escapeIdentifier(each.table)} ADD COLUMN by_${login.user} int`,
    );
    await asApplication(lab, login, ...alterations);
    const count = await useTable(lab, login, billing);
    page.check(
      `${login.user} alters the other's tables, and reads and writes ${table}`,
      count >= 2 && others.length > 0,
    );
  }
}

interface Identity {
  readonly session_user: string;
  readonly current_user: string;
  readonly made: string;
  readonly owner: string;
}

async function identityOf(lab: Lab, login: Login, table: string): Promise<Identity> {
  const [row] = await asApplication<Identity>(
    lab,
    login,
    `SELECT session_user, current_user, tablename AS made, tableowner AS owner FROM pg_tables WHERE tablename = '${table}'`,
  );
  if (row === undefined) throw new Error(`The table ${table} should be there, and ${login.user} does not see it.`);
  return row;
}
