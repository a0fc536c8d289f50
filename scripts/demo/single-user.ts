import type { Lab } from '../lab/lab.ts';
import { rotate } from '../lab/rotate.ts';
import { attach, createApplication, type StoredApplication } from '../lab/seed.ts';
import type { Page } from './page.ts';
import { accepts, refusedLogins, useTable } from './proof.ts';
import { showRidingThrough } from './riding-through.ts';
import { historyOf, loginOf } from './secret-history.ts';

const SHOP = { role: 'shop', table: 'orders', secretName: 'shop/database', strategy: 'single-user' } as const;
const RULES = { AutomaticallyAfterDays: 30 };

/**
 * Rotates a user's password twice, and asks the server each time which password it takes; then once more, while
 * applications log in.
 */
export async function showSingleUser(lab: Lab, page: Page, signal: AbortSignal): Promise<void> {
  page.title('Single user: the password of a user is replaced');
  const shop = await createApplication(lab, lab.seed.superuser, SHOP);
  page.paragraph(
    `The role ${shop.role} owns the table ${shop.table}. Its login is the secret ${shop.secretName}.`,
    'The function is attached to it: Secrets Manager has it log in once, as a test.',
  );
  const attached = await attach(lab, shop, RULES);
  page.check('attached, and the test of the configuration passed', attached.succeeded);
  page.space();
  for (const name of ['First rotation', 'Second rotation']) await rotateOnce(lab, page, shop, name);
  await showRidingThrough(lab, page, shop, signal);
}

async function rotateOnce(lab: Lab, page: Page, shop: StoredApplication, name: string): Promise<void> {
  const { secretArn, role, table } = shop;
  const [before, old, refusedBefore] = await Promise.all([
    historyOf(lab, secretArn),
    loginOf(lab, secretArn),
    refusedLogins(lab),
  ]);
  const outcome = await rotate(lab, secretArn);
  const [after, current, refusedAfter] = await Promise.all([
    historyOf(lab, secretArn),
    loginOf(lab, secretArn),
    refusedLogins(lab),
  ]);
  page.rotation(name, outcome, { before, after });
  page.check('the rotation succeeded', outcome.succeeded);
  page.check(
    'AWSCURRENT is the version that it made',
    after.get(outcome.versionId)?.labels.includes('AWSCURRENT') === true,
  );
  page.check('the server saw no failed login', refusedAfter === refusedBefore, `${refusedAfter - refusedBefore}`);
  page.check('the server refuses the old password', !(await accepts(lab, old)));
  page.check('the server accepts the new password', await accepts(lab, current));
  const rows = await useTable(lab, current, shop);
  page.check(`${role} reads and writes its table ${table}: ${rows} rows`, rows >= 2, `${rows} rows`);
  page.space();
}
