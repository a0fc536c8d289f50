/** What `npm run release` makes: the same bytes each time, and zips that run on both of Lambda's runtimes. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { makeRelease } from '../../../scripts/build/release.ts';
import { nodeOf } from '../../support/nodes.ts';

const run = promisify(execFile);
const ZIPS = ['single-user.zip', 'alternating-users.zip'];

let folder: string;
let names: readonly string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'released-'));
  names = await makeRelease(join(folder, 'first'));
}, 180_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const file = (name: string) => readFile(join(folder, 'first', name));
const sumOf = (content: Uint8Array) => createHash('sha256').update(content).digest('hex');

describe('a release', () => {
  test('has the zips, the plain template, the package, the bill of materials and the checksums of them', async () => {
    const { version } = JSON.parse(await readFile(new URL('../../../package.json', import.meta.url), 'utf8'));
    expect(names).toEqual(
      expect.arrayContaining([
        ...ZIPS,
        'SHA256SUMS',
        'cloudformation.yaml',
        `postgres-secret-rotation-${version}.tgz`,
        'sbom.spdx.json',
      ]),
    );
    expect((await readdir(join(folder, 'first'))).sort()).toEqual(names);
    const sums = (await file('SHA256SUMS')).toString().trimEnd().split('\n');
    const named = sums.map((line) => line.slice(66));
    expect(named).toEqual(names.filter((name) => name !== 'SHA256SUMS'));
    for (const name of named) expect(sums).toContain(`${sumOf(await file(name))}  ${name}`);
  });

  test('is the same, byte for byte, when it is made again under another umask', { timeout: 180_000 }, async () => {
    const usual = process.umask(0o077);
    const again = await makeRelease(join(folder, 'second')).finally(() => process.umask(usual));
    expect(again).toEqual(names);
    for (const name of names) {
      expect(sumOf(await readFile(join(folder, 'second', name))), name).toBe(sumOf(await file(name)));
    }
  });

  test('needs to be told its time where git has none', async () => {
    vi.stubEnv('GIT_DIR', join(folder, 'nowhere'));
    onTestFinished(() => void vi.unstubAllEnvs());
    await expect(makeRelease(join(folder, 'third'))).rejects.toThrow('set SOURCE_DATE_EPOCH');
  });

  test('has a package in which the command alone may be run', async () => {
    const tarball = names.find((name) => name.endsWith('.tgz')) ?? '';
    const { stdout } = await run('tar', ['-tvzf', join(folder, 'first', tarball)]);
    const others = stdout
      .trimEnd()
      .split('\n')
      .filter((line) => !line.startsWith('-rw-r--r-- '));
    expect(others).toEqual([expect.stringMatching(/^-rwxr-xr-x .* package\/cli\/rotation\.mjs$/)]);
  });

  test('has the Terraform module with its examples, to be unzipped where a configuration names it', async () => {
    const paths = Object.keys(unzipSync(await file('terraform-module.zip')));
    const wanted = ['README.md', 'LICENSE', 'main.tf', 'variables.tf', 'outputs.tf', 'examples/one-database/main.tf'];
    expect(paths).toEqual(expect.arrayContaining(wanted));
    expect(paths.filter((path) => /^tests\/|\.terraform|\.tfstate|\.tfvars/.test(path))).toEqual([]);
  });

  test('lists, in its bill of materials, every file of it that holds code', async () => {
    const { packages } = JSON.parse((await file('sbom.spdx.json')).toString());
    const files = packages.map(({ packageFileName }: { packageFileName?: string }) => packageFileName).filter(Boolean);
    expect(files.sort()).toEqual(names.filter((name) => !['SHA256SUMS', 'sbom.spdx.json'].includes(name)));
    const has = (name: string) => packages.some((each: { name: string }) => each.name === name);
    expect(['pg', '@aws-sdk/client-secrets-manager', 'commander'].filter((name) => !has(name))).toEqual([]);
  });
});

describe.each([22, 24] as const)('on Node %i', (line) => {
  const program = nodeOf(line);

  test.skipIf(program === undefined).each(ZIPS)(
    '%s answers an event that makes no sense, by its code',
    async (name) => {
      const code = await mkdtemp(join(folder, 'code-'));
      for (const [path, content] of Object.entries(unzipSync(await file(name))))
        await writeFile(join(code, path), content);
      await mkdir(join(code, 'empty'));
      const call = `
      const { handler } = await import('../index.mjs');
      await handler({}, { getRemainingTimeInMillis: () => 10_000 }).catch(({ name, message }) => console.error(name, message));`;
      const { stdout, stderr } = await run(program ?? '', ['--input-type=module', '-e', call], {
        cwd: join(code, 'empty'),
        env: { AWS_REGION: 'eu-west-1' },
      });
      expect(stderr).toContain("The rotation event is not one of Secrets Manager's");
      expect(stdout).toContain('"code":"INVALID_EVENT"');
    },
  );
});
