/** What npm publishes: packed, installed into an empty folder, and run on every Node that it is for. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import * as attw from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildPackage } from '../../../scripts/build/package.ts';
import { pack } from '../../../scripts/build/release.ts';
import { NODE_LINES, nodeOf } from '../../support/nodes.ts';
import { roleScope, sharedServer } from '../../support/postgres.ts';
import { freshName } from '../../support/secrets-lab-client.ts';
import { TestAccount } from '../../support/test-account.ts';

const run = promisify(execFile);
const NAME = 'postgres-secret-rotation';
const nodes = NODE_LINES.map((line) => ({ line, program: nodeOf(line) }));
const CREDENTIALS = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_REGION: 'eu-west-1' };

let folder: string;
let tarball: string;
/** An empty folder into which npm has installed the tarball. */
let project: string;
let installed: string;
let account: TestAccount;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'published-'));
  const laidOut = join(folder, 'package');
  await buildPackage(laidOut);
  tarball = join(folder, await pack(laidOut, folder));
  project = await mkdtemp(join(folder, 'project-'));
  await writeFile(join(project, 'package.json'), '{"private":true,"type":"module"}');
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', tarball], { cwd: project });
  installed = join(project, 'node_modules', NAME);
  account = await TestAccount.open();
}, 180_000);
afterAll(async () => {
  await account?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe('the package', () => {
  test('needs nothing else to be installed', async () => {
    expect((await readdir(join(project, 'node_modules'))).filter((name) => !name.startsWith('.'))).toEqual([NAME]);
  });

  test('holds the command, the client with types, the zips, the templates and what operators read, and no more', async () => {
    const all = await readdir(installed, { recursive: true, withFileTypes: true });
    const files = all
      .filter((each) => each.isFile())
      .map(({ parentPath, name }) => join(parentPath, name).slice(installed.length + 1));
    const kinds = [
      /^(?:package\.json|README\.md|CHANGELOG\.md|SECURITY\.md|LICENSE|cloudformation\.yaml)$/,
      /^docs\/(?!lab|mutation)[\w-]+\.md$/,
      /^docs\/policies\/(?:full|read-only)\.json$/,
      /^templates\/restart-consumers\.yaml$/,
      /^cli\/(?:rotation|part-\w+)\.mjs$/,
      /^client\/(?:index\.js|[\w-]+\.d\.ts)$/,
      /^functions\/(?:single-user|alternating-users)\.zip$/,
    ];
    expect(files.filter((path) => !kinds.some((kind) => kind.test(path)))).toEqual([]);
    for (const kind of kinds) expect(files.filter((path) => kind.test(path)).length, String(kind)).toBeGreaterThan(0);
  });

  test('has no link to what is in the repository only', async () => {
    const texts = (await readdir(installed, { recursive: true })).filter((path) => path.endsWith('.md'));
    const dead: string[] = [];
    let links = 0;
    for (const path of texts) {
      for (const [, to = ''] of (await readFile(join(installed, path), 'utf8')).matchAll(
        /\]\(([^)#\s:]+)(?:#[^)]*)?\)/g,
      )) {
        links++;
        if (!existsSync(join(installed, dirname(path), to))) dead.push(`${path}: ${to}`);
      }
    }
    expect(dead).toEqual([]);
    expect(links).toBeGreaterThan(50);
  });

  test('is less than 1 MB packed, and less than 2 MB unpacked', async () => {
    const all = await readdir(installed, { recursive: true, withFileTypes: true });
    const sizes = await Promise.all(
      all.filter((each) => each.isFile()).map(async (each) => (await stat(join(each.parentPath, each.name))).size),
    );
    expect((await stat(tarball)).size).toBeLessThan(1_000_000);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(2_000_000);
  });

  test('satisfies publint', async () => {
    const archive = await readFile(tarball);
    const bytes = archive.buffer.slice(archive.byteOffset, archive.byteOffset + archive.byteLength);
    const { messages, pkg } = await publint({ pack: { tarball: new Uint8Array(bytes).buffer }, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  test('has types that are right wherever ES modules are imported', async () => {
    const analysis = await attw.checkPackage(
      attw.createPackageFromTarballData(new Uint8Array(await readFile(tarball))),
    );
    if (!('problems' in analysis)) throw new Error('Types were expected in the package.');
    // Of node10, which knows no exports, no module is asked here; and CommonJS gets the ES module by import().
    const problems = analysis.problems.filter(
      (problem) =>
        !('resolutionKind' in problem && problem.resolutionKind === 'node10') && problem.kind !== 'CJSResolvesToESM',
    );
    expect(problems).toEqual([]);
    const client = analysis.entrypoints['./client'];
    expect(client?.resolutions['node16-esm'].resolution?.isTypeScript).toBe(true);
    expect(client?.resolutions.bundler.resolution?.isTypeScript).toBe(true);
  }, 120_000);
});

describe.each(nodes)('on Node $line', ({ line, program }) => {
  /** Not in the way of the lab, which answers in this process. */
  const rotation = async (args: readonly string[], input = '') => {
    const path = join(project, 'node_modules/.bin/rotation');
    const env = { PATH: process.env.PATH, ...CREDENTIALS };
    const options = ['--endpoint-url', account.lab.endpoint, ...args];
    const running = run(program ?? '', [path, ...options], { cwd: project, env });
    running.child.stdin?.end(input);
    return await running.then(
      (output) => ({ ...output, code: 0 }),
      ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
    );
  };

  test.skipIf(program === undefined)('npx rotation runs', async () => {
    const { version } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'));
    // By npx, with that Node first on the path.
    const bin = await mkdtemp(join(folder, 'bin-'));
    await cp(program ?? '', join(bin, 'node'));
    const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
    const { stdout } = await run('npx', ['--offline', 'rotation', '--version'], { cwd: project, env });
    expect(stdout).toBe(`${version}\n`);
    await rm(bin, { recursive: true });
  });

  test.skipIf(program === undefined)('it proves a login, stores it and shows it', async () => {
    const server = await sharedServer();
    await using scope = roleScope(server);
    const role = await scope.createAppRole();
    const name = freshName(`on-node-${line}`);
    const place = ['--host', server.host, '--port', `${server.port}`, '--dbname', role.database, '--ssl', 'false'];
    const create = ['create', name, ...place, '--username', role.name, '--password-stdin'];

    expect(await rotation(create, role.password)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('its login works'),
    });
    // Nothing rotates it yet, which is not well.
    const shown = await rotation(['status', name]);
    expect(shown).toMatchObject({ stdout: expect.stringContaining(name), stderr: '' });
    expect(shown.stdout).not.toContain('\u{1b}');
  });

  test.skipIf(program === undefined)('every subcommand is there', async () => {
    const { stdout } = await rotation(['--help']);
    const commands = ['create', 'attach', 'now', 'status', 'doctor', 'adopt-clone'];
    for (const command of commands) {
      expect(stdout).toContain(`  ${command}`);
      expect(await rotation([command, '--help'])).toMatchObject({ code: 0, stderr: '' });
    }
  });
});
