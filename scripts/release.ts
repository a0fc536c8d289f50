/**
 * `npm run release`: makes release/, whose files a tag's workflow attaches to its GitHub release. The same source makes
 * the same bytes. `--tag v0.2.0` insists on being that version, dated in the change log.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { makeRelease } from './build/release.ts';
import { unreleased } from './build/released-version.ts';

const folder = new URL('../release/', import.meta.url).pathname;

const { values } = parseArgs({ options: { tag: { type: 'string' } } });
const textOf = (name: string) => readFile(new URL(`../${name}`, import.meta.url), 'utf8');
const { version } = JSON.parse(await textOf('package.json'));
const fault = values.tag === undefined ? undefined : unreleased(values.tag, version, await textOf('CHANGELOG.md'));
if (fault === undefined) {
  for (const name of await makeRelease(folder)) console.log(`release/${name}`);
} else {
  console.error(fault);
  process.exitCode = 1;
}
