/**
 * `npm run release`: makes release/, whose files a tag's workflow attaches to its GitHub release. The same source makes
 * the same bytes. `--tag v0.2.0` insists on being that version, dated in the change log.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { makeRelease } from './build/release.ts';
import { unreleased } from './build/released-version.ts';
import { readArguments, understood } from './lab/command/command-line.ts';

const folder = fileURLToPath(new URL('../release/', import.meta.url));

const program = new Command('npm run release --')
  .description(
    'Makes release/: the zips, the templates, the Terraform module and the npm package, the same bytes each time.',
  )
  .option('--tag <tag>', 'insist on being that version, such as v0.2.0, dated in the change log');

const read = () => readArguments(program, process.argv.slice(2)).opts<{ tag?: string }>();
const { tag } = understood('npm run release', read);
const textOf = (name: string) => readFile(new URL(`../${name}`, import.meta.url), 'utf8');
const { version } = JSON.parse(await textOf('package.json'));
const fault = tag === undefined ? undefined : unreleased(tag, version, await textOf('CHANGELOG.md'));
if (fault === undefined) {
  for (const name of await makeRelease(folder)) console.log(`release/${name}`);
} else {
  console.error(fault);
  process.exitCode = 1;
}
