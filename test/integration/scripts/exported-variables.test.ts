import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ProjectCommand } from './project-command.ts';

/** A shell in which everything is set for some other server, account and program. */
let shell: NodeJS.ProcessEnv;
let folder: string;
const started = () => join(folder, 'started');

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shell-'));
  // PostgreSQL's supervisor is another user where root runs the tests.
  await chmod(folder, 0o755);
  const config = join(folder, 'config');
  await writeFile(config, '[default]\nregion = eu-nowhere-1\nendpoint_url = http://127.0.0.1:1\n[profile other]\n');
  // Whoever inherits it writes down what it runs.
  const hook = join(folder, 'hook.mjs');
  await writeFile(
    hook,
    `import { appendFileSync } from 'node:fs';
appendFileSync(${JSON.stringify(started())}, process.argv[1] + '\\n');`,
  );
  shell = {
    AWS_PROFILE: 'other',
    AWS_CONFIG_FILE: config,
    AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
    AWS_ENDPOINT_URL_SECRETS_MANAGER: 'http://127.0.0.1:1',
    AWS_REGION: 'eu-nowhere-1',
    AWS_DEFAULT_REGION: 'eu-nowhere-1',
    AWS_ACCESS_KEY_ID: 'other',
    AWS_SECRET_ACCESS_KEY: 'other',
    AWS_USE_FIPS_ENDPOINT: 'true',
    PGOPTIONS: '-c search_path=nowhere -c default_transaction_read_only=on',
    PGHOST: 'nowhere.invalid',
    PGPORT: '1',
    PGUSER: 'nobody',
    PGDATABASE: 'nowhere',
    PGPASSWORD: 'other',
    PGSSLMODE: 'verify-full',
    NODE_OPTIONS: `--import=${hook}`,
    NODE_USE_ENV_PROXY: '1',
    HTTP_PROXY: 'http://127.0.0.1:1',
  };
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs it in that shell, to its end. */
async function run(script: string, ...args: string[]): Promise<void> {
  await writeFile(started(), '');
  await using command = await ProjectCommand.start(script, args, shell);
  expect(await command.exitCode(), command.stdout + command.stderr).toBe(0);
}

const programs = async () => new Set((await readFile(started(), 'utf8')).trim().split('\n'));

it('npm run demo is as ever, and nothing that it starts inherits NODE_OPTIONS', async () => {
  await run('scripts/demo.ts');
  expect([...(await programs())]).toEqual([expect.stringMatching(/scripts.demo\.ts$/)]);
});

it('npm run bench is as ever, and nothing that it starts inherits NODE_OPTIONS', async () => {
  await run('scripts/bench.ts', '-n', '1', '--strategy', 'alternating-users', '--tls', 'off', '--json');
  expect([...(await programs())]).toEqual([expect.stringMatching(/scripts.bench\.ts$/)]);
});

it('npm run lab makes its secrets and roles as ever', async () => {
  await writeFile(started(), '');
  await using lab = await ProjectCommand.start('scripts/lab.ts', ['--json'], shell);
  expect(JSON.parse(await lab.printed(/^.*\n/))).toMatchObject({
    region: 'us-east-1',
    secrets: ['lab/shop', 'lab/billing', 'lab/ledger'].map((name) => ({ name })),
  });
  expect(await lab.terminate()).toBe(143);
  expect([...(await programs())]).toEqual([expect.stringMatching(/scripts.lab\.ts$/)]);
});

it('tests see none of it', async () => {
  await run('node_modules/vitest/vitest.mjs', 'run', '--project', 'unit', 'test/unit/support/shell.test.ts');
  expect([...(await programs())]).toEqual([expect.stringMatching(/vitest\.mjs$/)]);
});
