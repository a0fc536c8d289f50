/**
 * Writes docs/licences.md: what is in the deployed functions and the published command besides this project, and under which licence.
 * `npm run licences` after a dependency changed; a unit test tells when it is due.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BuiltFile } from './build/built-files.ts';
import { buildCommand } from './build/command.ts';
import { buildFunctions } from './build.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
export const LICENCES_FILE = join(root, 'docs/licences.md');

/** Licences that ask for no more than their notice to be kept (and, Apache's, for changes to be stated). */
export const PERMISSIVE = ['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT', 'MIT-0'];

export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  /** From the package's licence file; '' where it names nobody. */
  readonly copyright: string;
}

/** What is built, of what. */
export type Built = Readonly<Record<'functions' | 'command', readonly BuiltFile[]>>;

/** Builds into a folder that is gone afterwards. */
export async function buildAside(): Promise<Built> {
  const folder = await mkdtemp(join(tmpdir(), 'built-'));
  try {
    const functions = await buildFunctions({ folder: join(folder, 'functions') });
    return { functions, command: await buildCommand(join(folder, 'command')) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Every npm package of which a line is in one of the files, by name. */
export async function bundledPackages(files: readonly BuiltFile[]): Promise<readonly BundledPackage[]> {
  const names = new Set(files.flatMap(({ packages }) => [...packages.keys()]));
  names.delete('(own)');
  return await Promise.all([...names].sort().map(describe));
}

export async function licencesText({ functions, command }: Built): Promise<string> {
  return `# Licences

The deployed functions hold code of these npm packages, and no others (\`npm run build -- --analyze\` tells how much of
each). Written by \`npm run licences\`; a unit test fails when it is out of date.

${table(await bundledPackages(functions))}

The command \`rotation\`, as it is published, holds code of these:

${table(await bundledPackages(command))}

The texts are in each package's folder under \`node_modules\`, and at <https://spdx.org/licenses/>.
`;
}

function table(packages: readonly BundledPackage[]): string {
  const rows = packages.map(
    ({ name, version, licence, copyright }) => `| ${name} | ${version} | ${licence} | ${copyright} |`,
  );
  return ['| package | version | licence | notice |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

async function describe(name: string): Promise<BundledPackage> {
  const folder = join(root, 'node_modules', name);
  const { version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const file = (await readdir(folder)).find((each) => /^licen[cs]e/i.test(each));
  const text = file === undefined ? '' : await readFile(join(folder, file), 'utf8');
  const notice = /Copyright (?:\(c\)|©|\d{4})[^\n]*/i.exec(text)?.[0] ?? '';
  const copyright = notice
    .replaceAll(/\s*<[^>]*>/g, '')
    .replaceAll('|', ' ')
    .trim();
  return { name, version, licence: String(license), copyright };
}

if (import.meta.main) {
  await writeFile(LICENCES_FILE, await licencesText(await buildAside()));
  console.log('docs/licences.md written');
}
