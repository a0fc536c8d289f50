/**
 * Lays out what is published to npm: the command and the client built, the functions as ZIP archives, the plain template.
 * Everything is bundled; package.json is made of this project's, which itself is private.
 */
import { existsSync } from 'node:fs';
import { chmod, copyFile, cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildFunctions } from '../build.ts';
import { filesOf, zip } from './archive.ts';
import type { BuiltFile } from './built-files.ts';
import { buildClient } from './client.ts';
import { buildCommand } from './command.ts';
import { plainTemplate } from './plain-template.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export const TEMPLATE = 'cloudformation.yaml';

/** What applications bring for the client: the versions that it works with. Nothing else needs to be installed. */
const PEERS = { '@aws-sdk/client-secrets-manager': '^3.521.0', pg: '^8.11.0' } as const;

/** What the package is made of. */
export interface BuiltPackage {
  readonly version: string;
  /** Of the functions and the command; the client is this project's only. */
  readonly built: Readonly<Record<'functions' | 'command', readonly BuiltFile[]>>;
}

/** @param folder to lay it out in, which is emptied. */
export async function buildPackage(folder: string): Promise<BuiltPackage> {
  await rm(folder, { recursive: true, force: true });
  const at = (path: string) => join(folder, path);
  await mkdir(at('docs'), { recursive: true });
  const description = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  const functions = await buildFunctions({ folder: at('functions') });
  const names = await readdir(at('functions'));
  for (const name of names) {
    // Without source maps, which would only say where this project stood.
    const files = await filesOf(join(at('functions'), name), (path) => path.endsWith('.mjs'));
    await writeFile(at(`functions/${name}.zip`), zip(withoutMapNotes(files)));
    await rm(join(at('functions'), name), { recursive: true });
  }
  const command = await buildCommand(at('cli'));
  await buildClient(at('client'));
  const template = await readFile(join(root, 'template.yaml'), 'utf8');
  await writeFile(at(TEMPLATE), plainTemplate(template, description.version));
  await copyTexts(folder);
  await writeFile(at('package.json'), `${JSON.stringify(published(description), null, 2)}\n`);
  await sameModes(folder);
  return { version: description.version, built: { functions, command } };
}

function withoutMapNotes(files: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, Uint8Array> {
  const plain = (bytes: Uint8Array) =>
    Buffer.from(bytes)
      .toString()
      .replace(/\n?\/\/# sourceMappingURL=.*\n?$/, '\n');
  return new Map(Array.from(files, ([path, bytes]) => [path, Buffer.from(plain(bytes))]));
}

/** npm packs the modes of files too, which are as the umask of this machine and of the clone has them. */
async function sameModes(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const isProgram = ((await stat(path)).mode & 0o100) !== 0;
    await chmod(path, isProgram ? 0o755 : 0o644);
  }
}

/** Of who works on the project: what they speak of takes a checkout. */
const NOT_FOR_OPERATORS = ['lab.md', 'mutation-testing.md'];

/** What operators read and deploy. */
async function copyTexts(folder: string): Promise<void> {
  await copyFile(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  for (const path of ['docs/policies', 'templates'])
    await cp(join(root, path), join(folder, path), { recursive: true });
  const docs = (await readdir(join(root, 'docs'))).filter(
    (name) => name.endsWith('.md') && !NOT_FOR_OPERATORS.includes(name),
  );
  const texts = ['README.md', 'CHANGELOG.md', 'SECURITY.md', ...docs.map((name) => join('docs', name))];
  const isThere = (path: string) => texts.includes(path) || existsSync(join(folder, path));
  for (const path of texts) {
    const text = await readFile(join(root, path), 'utf8');
    await writeFile(join(folder, path), withoutDeadLinks(text, dirname(path), isThere));
  }
}

/** Links to what is in the repository only become their words. @param folder that the text is in. */
function withoutDeadLinks(text: string, folder: string, isThere: (path: string) => boolean): string {
  return text.replaceAll(/!?\[([^\]]+)\]\(([^)#\s:]+)(?:#[^)]*)?\)/g, (link, words: string, path: string) =>
    isThere(join(folder, path)) ? link : words,
  );
}

interface Description {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly keywords: readonly string[];
  readonly license: string;
  readonly engines: Readonly<Record<string, string>>;
}

function published({ name, version, description, keywords, license, engines }: Description): object {
  return {
    name,
    version,
    description,
    keywords,
    license,
    type: 'module',
    bin: { rotation: 'cli/rotation.mjs' },
    exports: {
      './client': { types: './client/index.d.ts', default: './client/index.js' },
      './package.json': './package.json',
    },
    engines,
    peerDependencies: PEERS,
    peerDependenciesMeta: Object.fromEntries(Object.keys(PEERS).map((peer) => [peer, { optional: true }])),
  };
}
