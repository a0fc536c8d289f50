/**
 * Why a tag can't be released; undefined where it can. Pure.
 *
 * @param tag such as v0.2.0. @param version of package.json. @param changelog the text of CHANGELOG.md.
 */
export function unreleased(tag: string, version: string, changelog: string): string | undefined {
  if (tag !== `v${version}`) return `The tag must be v${version}, the version of package.json, and is ${tag}.`;
  const heading = changelog.split('\n').find((line) => line.startsWith(`## ${version} `));
  if (heading !== undefined && /^## \S+ — \d{4}-\d{2}-\d{2}$/.test(heading)) return undefined;
  return `CHANGELOG.md must have a heading "## ${version} — YYYY-MM-DD", and has ${heading === undefined ? 'none' : `"${heading}"`}.`;
}
