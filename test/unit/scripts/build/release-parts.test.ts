import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { unzipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { filesOf, sha256, zip } from '../../../../scripts/build/archive.ts';
import { unreleased } from '../../../../scripts/build/released-version.ts';
import { sbom } from '../../../../scripts/build/sbom.ts';

const bytes = (text: string) => Buffer.from(text);

describe('an archive', () => {
  test('holds the files, whatever order they came in, to the same bytes', () => {
    const one = zip(
      new Map([
        ['index.mjs', bytes('a')],
        ['rds-client.mjs', bytes('b')],
      ]),
    );
    const other = zip(
      new Map([
        ['rds-client.mjs', bytes('b')],
        ['index.mjs', bytes('a')],
      ]),
    );
    expect(sha256(one)).toBe(sha256(other));
    expect(Object.entries(unzipSync(one)).map(([name, content]) => [name, Buffer.from(content).toString()])).toEqual([
      ['index.mjs', 'a'],
      ['rds-client.mjs', 'b'],
    ]);
  });

  test('knows no time zone', () => {
    const program = `
      import { sha256, zip } from './scripts/build/archive.ts';
      console.log(sha256(zip(new Map([['index.mjs', Buffer.from('a')]]))));`;
    const sums = ['Pacific/Auckland', 'America/Anchorage'].map((TZ) =>
      execFileSync(process.execPath, ['--input-type=module', '-e', program], { env: { TZ }, encoding: 'utf8' }),
    );
    expect(new Set(sums)).toEqual(new Set([`${sha256(zip(new Map([['index.mjs', bytes('a')]])))}\n`]));
  });

  test('marks its files as readable by everybody, as Lambda needs it', () => {
    const archive = Buffer.from(zip(new Map([['index.mjs', bytes('text')]])));
    // The central directory's entry (APPNOTE 4.3.12); in the upper half of its attributes, the mode as Unix has it.
    const entry = archive.indexOf(Buffer.from([0x50, 0x4b, 0x01, 0x02]));
    expect((archive.readUInt32LE(entry + 38) >>> 16).toString(8)).toBe('100644');
    expect(archive.readUInt8(entry + 5)).toBe(3);
  });

  test('takes the files that are wanted', async () => {
    const build = fileURLToPath(new URL('../../../../scripts/build', import.meta.url));
    expect([...(await filesOf(build, (path) => path.startsWith('arch'))).keys()]).toEqual(['archive.ts']);
  });
});

describe('a tag', () => {
  const dated = '# Changelog\n\n## 1.2.3 — 2026-11-30\n';

  test.each([
    ['v1.2.3', dated, undefined],
    ['v1.2.4', dated, 'The tag must be v1.2.3'],
    ['1.2.3', dated, 'The tag must be v1.2.3'],
    ['v1.2.3', '## 1.2.3 — unreleased\n', 'and has "## 1.2.3 — unreleased"'],
    ['v1.2.3', '## 1.2.2 — 2026-11-30\n', 'and has none'],
  ])('%s is released or not', (tag, changelog, why) => {
    const fault = unreleased(tag, '1.2.3', changelog);
    if (why === undefined) expect(fault).toBeUndefined();
    else expect(fault).toContain(why);
  });
});

describe('the bill of materials', () => {
  const pg = { name: 'pg', version: '8.23.1', licence: 'MIT', copyright: 'Copyright (c) Brian Carlson' };
  const core = { name: '@smithy/core', version: '3.41.0', licence: 'Apache-2.0', copyright: '' };
  const created = new Date('2026-11-30T01:02:03.456Z');
  const artifact = { file: 'single-user.zip', bytes: bytes('zip'), holds: [pg, core] };
  const document = JSON.parse(sbom('1.2.3', created, [artifact, { ...artifact, file: 'other.zip', holds: [pg] }]));

  test('has what SPDX 2.3 asks of a document, and of each package', () => {
    expect(document).toMatchObject({
      spdxVersion: 'SPDX-2.3',
      dataLicense: 'CC0-1.0',
      SPDXID: 'SPDXRef-DOCUMENT',
      name: 'postgres-secret-rotation-1.2.3',
      documentNamespace: expect.stringMatching(/^https:\/\/[^#]+-[0-9a-f]{64}$/),
      creationInfo: { created: '2026-11-30T01:02:03Z', creators: [expect.stringMatching(/^Tool: /)] },
    });
    const ids = document.packages.map(({ SPDXID }: { SPDXID: string }) => SPDXID);
    expect(new Set(ids).size).toBe(ids.length);
    for (const each of document.packages) {
      expect(each.SPDXID).toMatch(/^SPDXRef-[A-Za-z0-9.-]+$/);
      expect(each).toMatchObject({
        name: expect.any(String),
        versionInfo: expect.any(String),
        downloadLocation: 'NOASSERTION',
        filesAnalyzed: false,
        licenseConcluded: expect.any(String),
        copyrightText: expect.stringMatching(/./),
      });
    }
  });

  test('names each file with its checksum, and each package once, where it is in', () => {
    const file = document.packages.find(({ name }: { name: string }) => name === 'single-user.zip');
    expect(file.checksums).toEqual([{ algorithm: 'SHA256', checksumValue: sha256(bytes('zip')) }]);
    const known = new Set(document.packages.map(({ SPDXID }: { SPDXID: string }) => SPDXID));
    const ends = document.relationships.map(
      (each: { spdxElementId: string; relatedSpdxElement: string }) => each.relatedSpdxElement,
    );
    expect(ends.filter((id: string) => !known.has(id))).toEqual([]);
    expect(ends.filter((id: string) => id === 'SPDXRef-npm-pg-8.23.1')).toHaveLength(2);
    const locators = document.packages.flatMap(
      ({ externalRefs = [] }: { externalRefs?: { referenceLocator: string }[] }) =>
        externalRefs.map(({ referenceLocator }) => referenceLocator),
    );
    expect(locators.sort()).toEqual(['pkg:npm/%40smithy/core@3.41.0', 'pkg:npm/pg@8.23.1']);
  });

  test('is the same for the same release', () => {
    expect(sbom('1.2.3', created, [artifact])).toBe(sbom('1.2.3', created, [artifact]));
    expect(sbom('1.2.3', created, [artifact])).not.toBe(sbom('1.2.3', created, [{ ...artifact, bytes: bytes('2') }]));
  });
});
