/** Programs that are logged in by a secret. */
import { expect, it } from 'vitest';
import { arrange } from '../../support/arrangement.ts';
import { operator } from '../../support/operator.ts';
import { toolIsHere } from '../../support/tools.ts';

const { account, command, server } = await operator();
const hasPsql = toolIsHere('psql', ['psql', '--version'], 'REQUIRE_PSQL');
const single = { strategy: 'single-user' } as const;

it.skipIf(!hasPsql)('opens psql with the login of the version that is asked for', async () => {
  await using here = await arrange(account, server, single);
  const query = ['--', '-Atc', 'select current_user || current_database()'];
  const first = await command.run(['psql', here.secret.arn, ...query], { before: true });
  expect(first).toMatchObject({ exitCode: 0, stdout: `${here.role.name}${here.role.database}\n` });
  await here.secret.rotate();
  const now = await command.run(['psql', here.secret.arn, ...query], { before: true });
  expect(now.exitCode).toBe(0);
  const then = await command.run(['psql', here.secret.arn, '--version', 'previous', ...query], { before: true });
  expect(then).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('password authentication failed') });
  const pending = await command.run(['psql', here.secret.arn, '--version', 'pending', ...query], { before: true });
  expect(pending).toMatchObject({ exitCode: 4, stderr: expect.stringContaining('AWSPENDING') });
});

const SHOW = `
  const { PGPASSWORD, ...pg } = Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('PG')));
  console.log(JSON.stringify({ ...pg, length: PGPASSWORD.length, argv: process.argv.slice(1) }));
  process.exit(7);
`;

it('gives the login to the program alone, with TLS verified, and ends as the program does', async () => {
  await using here = await arrange(account, server, single, { members: { ssl: undefined } });
  const env = { PGSERVICE: 'elsewhere', PGPASSFILE: '/tmp/other', PGSSLMODE: 'allow', PGAPPNAME: 'kept' };
  const run = await command.run(['run', here.secret.arn, '--', process.execPath, '-e', SHOW, '--', '--json'], {
    env,
    before: true,
  });
  expect(run.exitCode).toBe(7);
  expect(JSON.parse(run.stdout)).toEqual({
    PGHOST: server.host,
    PGPORT: String(server.port),
    PGUSER: here.role.name,
    PGDATABASE: here.role.database,
    PGSSLMODE: 'verify-full',
    PGSSLROOTCERT: 'system',
    PGGSSENCMODE: 'disable',
    PGAPPNAME: 'kept',
    length: here.role.password.length,
    argv: ['--json'],
  });
  expect(run.stdout + run.stderr).not.toContain(here.role.password);
});

it.each([
  ['db.abc.eu-west-1.rds.amazonaws.com', 'https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem'],
  [
    'db.abc.rds.cn-north-1.amazonaws.com.cn',
    'https://rds-truststore.s3.cn-north-1.amazonaws.com.cn/global/global-bundle.pem',
  ],
])("asks for Amazon's certificates where %s is to be verified, and does not begin without", async (host, bundle) => {
  await using here = await arrange(account, server, single, { members: { ssl: true, host } });
  const { exitCode, stderr } = await command.run(['run', here.secret.arn, '--', 'true'], { before: true });
  expect({ exitCode, stderr }).toEqual({ exitCode: 4, stderr: expect.stringContaining(bundle) });
});

it('leaves Ctrl-C to the program', async () => {
  await using here = await arrange(account, server, single);
  const wait = `process.on('SIGINT', () => { console.log('mine'); process.exit(3); }); setInterval(() => {}, 1000); console.log('here ' + process.pid);`;
  const running = command.start(['run', here.secret.arn, '--', process.execPath, '-e', wait], { before: true });
  const pid = Number(/here (\d+)/.exec(await running.printed(/here \d+/))?.[1]);
  // A terminal sends it to both.
  running.child.kill('SIGINT');
  process.kill(pid, 'SIGINT');
  expect(await running.ended()).toMatchObject({ exitCode: 3, stdout: expect.stringContaining('mine') });
});

it('says that a program was needed, or is not there', async () => {
  await using here = await arrange(account, server, single);
  expect((await command.run(['run', here.secret.arn])).exitCode).toBe(2);
  const absent = await command.run(['run', here.secret.arn, '--', 'no-such-program'], { before: true });
  expect(absent).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('no-such-program') });
});
