/** What a release holds of others, as SPDX 2.3 in JSON; pure. */
import type { BundledPackage } from '../licences.ts';
import { sha256 } from './archive.ts';

const NAME = 'postgres-secret-rotation';

/** One file of the release, and whose code is in it. */
export interface Artifact {
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly holds: readonly BundledPackage[];
}

/** @param created when the source was last changed, for the same source to make the same document. */
export function sbom(version: string, created: Date, artifacts: readonly Artifact[]): string {
  const others = new Map(artifacts.flatMap(({ holds }) => holds).map((each) => [spdxId(each), each]));
  const project = `SPDXRef-${NAME}`;
  const contents = {
    packages: [
      ourPackage(project, NAME, version, {}),
      ...artifacts.map(({ file, bytes }) =>
        ourPackage(fileId(file), file, version, {
          packageFileName: file,
          checksums: [{ algorithm: 'SHA256', checksumValue: sha256(bytes) }],
        }),
      ),
      ...Array.from(others, ([id, each]) => foreignPackage(id, each)),
    ],
    relationships: [
      relation('SPDXRef-DOCUMENT', 'DESCRIBES', project),
      ...artifacts.flatMap(({ file, holds }) => [
        relation(project, 'CONTAINS', fileId(file)),
        ...holds.map((each) => relation(fileId(file), 'CONTAINS', spdxId(each))),
      ]),
    ],
  };
  const document = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${NAME}-${version}`,
    // Unique to its contents, as SPDX asks for.
    documentNamespace: `https://spdx.org/spdxdocs/${NAME}-${version}-${sha256(Buffer.from(JSON.stringify(contents)))}`,
    creationInfo: { created: `${created.toISOString().slice(0, 19)}Z`, creators: [`Tool: ${NAME}-release`] },
    ...contents,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function ourPackage(SPDXID: string, name: string, versionInfo: string, more: object): object {
  const licences = { licenseConcluded: 'MIT', licenseDeclared: 'MIT', copyrightText: 'NOASSERTION' };
  return { SPDXID, name, versionInfo, downloadLocation: 'NOASSERTION', filesAnalyzed: false, ...licences, ...more };
}

function foreignPackage(SPDXID: string, { name, version, licence, copyright }: BundledPackage): object {
  return {
    SPDXID,
    name,
    versionInfo: version,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: licence,
    licenseDeclared: licence,
    copyrightText: copyright === '' ? 'NOASSERTION' : copyright,
    externalRefs: [
      {
        referenceCategory: 'PACKAGE-MANAGER',
        referenceType: 'purl',
        referenceLocator: `pkg:npm/${name.replace('@', '%40')}@${version}`,
      },
    ],
  };
}

function relation(spdxElementId: string, relationshipType: string, relatedSpdxElement: string): object {
  return { spdxElementId, relationshipType, relatedSpdxElement };
}

function fileId(file: string): string {
  return `SPDXRef-file-${idOf(file)}`;
}

function spdxId({ name, version }: BundledPackage): string {
  return `SPDXRef-npm-${idOf(`${name}-${version}`)}`;
}

/** SPDX ids are made of letters, digits, dots and hyphens. */
function idOf(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9.-]+/g, '-').replace(/^-/, '');
}
