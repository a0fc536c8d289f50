/** Makes all files of a release; the same source makes the same bytes. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { bundledPackages } from '../licences.ts';
import { filesOf, sha256, zip } from './archive.ts';
import type { BuiltFile } from './built-files.ts';
import { buildPackage, TEMPLATE } from './package.ts';
import { type Artifact, sbom } from './sbom.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));

const TERRAFORM_MODULE = 'terraform-module.zip';
const CHECKSUMS = 'SHA256SUMS';

/** @param folder to make it in, which is emptied. @returns the names of the files, sorted. */
export async function makeRelease(folder: string): Promise<readonly string[]> {
  const date = await sourceDate();
  const work = await mkdtemp(join(tmpdir(), 'release-'));
  try {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    const { version, built } = await buildPackage(join(work, 'package'));
    const tarball = await pack(join(work, 'package'), work);
    const files = new Map<string, Uint8Array>([
      ['single-user.zip', await readFile(join(work, 'package/functions/single-user.zip'))],
      ['alternating-users.zip', await readFile(join(work, 'package/functions/alternating-users.zip'))],
      [TEMPLATE, await readFile(join(work, 'package', TEMPLATE))],
      [tarball, await readFile(join(work, tarball))],
      ...(await terraformModule()),
    ]);
    files.set('sbom.spdx.json', Buffer.from(sbom(version, date, await artifactsOf(files, built))));
    const sums = [...files].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, bytes]) => `${sha256(bytes)}  ${name}\n`);
    files.set(CHECKSUMS, Buffer.from(sums.join('')));
    for (const [name, bytes] of files) await writeFile(join(folder, name), bytes);
    return [...files.keys()].sort();
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** @returns the name of the tarball. */
export async function pack(folder: string, destination: string): Promise<string> {
  const args = ['pack', folder, '--ignore-scripts', '--json', '--pack-destination', destination];
  const { stdout } = await run('npm', args, { cwd: destination });
  const [packed] = Object.values<{ filename: string }>(JSON.parse(stdout));
  if (packed === undefined) throw new Error('npm pack was expected to make a tarball, and made none.');
  const name = packed.filename.replace(/^@/, '').replace('/', '-');
  if (name !== packed.filename) await rename(join(destination, packed.filename), join(destination, name));
  return name;
}

/** The module alone, without its tests; for who names the archive as its source. */
async function terraformModule(): Promise<readonly (readonly [string, Uint8Array])[]> {
  const folder = join(root, 'terraform');
  if (!existsSync(folder)) return [];
  const isOfModule = (path: string) =>
    !path.startsWith('tests/') && !/(?:^|\/)\.terraform/.test(path) && !/\.tfstate|\.tfvars/.test(path);
  const module = await filesOf(folder, isOfModule);
  return [[TERRAFORM_MODULE, zip(new Map([...module, ['LICENSE', await readFile(join(root, 'LICENSE'))]]))]];
}

async function artifactsOf(
  files: ReadonlyMap<string, Uint8Array>,
  { functions, command }: Readonly<Record<'functions' | 'command', readonly BuiltFile[]>>,
): Promise<readonly Artifact[]> {
  const all = [...functions, ...command];
  const partsOf = (file: string) => {
    if (file.endsWith('.tgz')) return all;
    return functions.filter(({ path }) => path.startsWith(`${file.replace('.zip', '')}/`));
  };
  return await Promise.all(
    Array.from(files, async ([file, bytes]) => ({ file, bytes, holds: await bundledPackages(partsOf(file)) })),
  );
}

/** When the source was last changed: SOURCE_DATE_EPOCH (reproducible-builds.org), else the date of its commit. */
async function sourceDate(): Promise<Date> {
  const given = process.env.SOURCE_DATE_EPOCH;
  const seconds = given ?? (await commitTime());
  const date = new Date(Number(seconds) * 1000);
  if (Number.isNaN(date.getTime()))
    throw new Error(`SOURCE_DATE_EPOCH must be a number of seconds, and is "${given}".`);
  return date;
}

async function commitTime(): Promise<string> {
  try {
    return (await run('git', ['log', '-1', '--format=%ct'], { cwd: root })).stdout.trim();
  } catch (error) {
    // An unpacked archive, or a clone that belongs to somebody else.
    throw new Error('git should tell the time of the last commit, and does not: set SOURCE_DATE_EPOCH to one.', {
      cause: error,
    });
  }
}
