import { embeddedVersion } from '../../scripts/lab/database/binaries.ts';
import { containerEngineAnswers } from '../../scripts/lab/database/container.ts';

/** Which PostgreSQL servers the integration tests run on. */
export interface ServerPlan {
  readonly source: 'embedded' | 'container';
  /** Major versions, ascending. */
  readonly versions: readonly number[];
  /** For people. */
  readonly description: string;
}

const SUPPORTED_VERSIONS = [14, 15, 16, 17, 18];

/**
 * Reads POSTGRES_SOURCE (embedded or container; default: containers where an engine answers), POSTGRES_VERSIONS (such
 * as "14,16"; default: all that there are) and REQUIRE_CONTAINERS (1: fail rather than do without an engine).
 * @throws Error where these can't be had: tests that silently run on something else prove nothing.
 */
export async function planServers(environment: NodeJS.ProcessEnv): Promise<ServerPlan> {
  const { source, reason } = await chooseSource(environment);
  const wanted = parseVersions(environment.POSTGRES_VERSIONS);
  if (source === 'container') {
    const versions = wanted ?? SUPPORTED_VERSIONS;
    return { source, versions, description: `PostgreSQL: containers (testcontainers), versions ${versions.join(' ')}` };
  }
  const version = await embeddedVersion();
  const major = Number.parseInt(version, 10);
  const missing = (wanted ?? []).filter((one) => one !== major);
  if (missing.length > 0) {
    throw new Error(
      `POSTGRES_VERSIONS asks for ${missing.join(', ')}, which needs containers: embedded is ${version} (${reason}).`,
    );
  }
  return { source, versions: [major], description: `PostgreSQL: embedded ${version} (${reason})` };
}

async function chooseSource(environment: NodeJS.ProcessEnv) {
  const forced = environment.POSTGRES_SOURCE || undefined;
  const required = environment.REQUIRE_CONTAINERS === '1';
  if (forced !== undefined && forced !== 'embedded' && forced !== 'container') {
    throw new Error(`POSTGRES_SOURCE must be embedded or container, and is "${forced}".`);
  }
  if (forced === 'embedded' && required) {
    throw new Error('POSTGRES_SOURCE=embedded contradicts REQUIRE_CONTAINERS=1.');
  }
  if (forced === 'embedded') return { source: forced, reason: 'POSTGRES_SOURCE' } as const;
  if (await containerEngineAnswers()) return { source: 'container', reason: 'a container engine answered' } as const;
  if (forced === 'container' || required) {
    throw new Error(
      'Containers are required (POSTGRES_SOURCE or REQUIRE_CONTAINERS), and no container engine answered.',
    );
  }
  return { source: 'embedded', reason: 'no container engine answered' } as const;
}

function parseVersions(text: string | undefined): number[] | undefined {
  if (text === undefined || text.trim() === '') return undefined;
  const words = text.split(/[\s,]+/).filter((word) => word !== '');
  const unknown = words.filter((word) => !SUPPORTED_VERSIONS.map(String).includes(word));
  if (unknown.length > 0) {
    throw new Error(
      `POSTGRES_VERSIONS must list majors among ${SUPPORTED_VERSIONS.join(', ')}, and has "${unknown.join(', ')}".`,
    );
  }
  return [...new Set(words.map(Number))].sort((a, b) => a - b);
}
