/** An AWS account and a database on your desk: PostgreSQL, Secrets Manager, and the built functions attached to it. */
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { StrategyName } from '../../shared/rotation/strategy.ts';
import type { Address } from '../relays/tcp-server.ts';
import { DEFAULT_REGION } from './account.ts';
import { builtFunctions } from './built-functions.ts';
import { seedByIam, startEndpoint } from './by-iam.ts';
import { startClock } from './clock.ts';
import { type StartOptions, startPostgres } from './database/server.ts';
import type { LabParts } from './parts.ts';
import { startSecretsManager } from './secrets-lab.ts';
import {
  removeApplications,
  type Seed,
  seedApplications,
  seedRedshift,
  startRedshift,
  storeSuperuser,
} from './seed.ts';

export interface LabOptions {
  /** Of the local Secrets Manager. Default: any free port. */
  readonly port?: number;
  /** Default 'embedded'. See StartOptions. */
  readonly postgres?: StartOptions['source'];
  /** Further options of the PostgreSQL server. */
  readonly server?: Omit<StartOptions, 'source'>;
  /** Whether to make two applications with a secret each, ready to be rotated. Default true. */
  readonly seed?: boolean;
  /** Whether a stand-in for Amazon Redshift is served too, with a secret of its own. Default false. */
  readonly redshift?: boolean;
  /** Lab milliseconds in one real millisecond: 3600 makes an hour pass in a second. Default 1. */
  readonly timeScale?: number;
  /** Ends a start that is under way, as an error, with nothing left behind. */
  readonly signal?: AbortSignal;
}

export interface Lab extends LabParts, AsyncDisposable {
  readonly seed: Seed;
  /** Where the stand-in for Amazon Redshift is, if there is one. */
  readonly redshift: Address | undefined;
  /** A function under the name of AWS's own, for the rehearsal of a move to ours: `rotation attach --all --from`. */
  readonly awsFunction: string;
  /** Stops and removes everything. */
  close(): Promise<void>;
}

/** What template.yaml would have been deployed as: `rotation attach --stack` finds the functions by it. */
const STACK_NAME = 'postgres-rotation';

const FUNCTION_NAMES: Readonly<Record<StrategyName, string>> = {
  'single-user': 'postgres-rotation-single-user',
  'alternating-users': 'postgres-rotation-alternating-users',
};

/** As the Serverless Application Repository names it. Nothing that it logs is known to the command, as with AWS's. */
const AWS_FUNCTION = {
  name: 'SecretsManagerRDSPostgreSQLRotationSingleUser',
  environment: { POWERTOOLS_LOG_LEVEL: 'SILENT', POWERTOOLS_METRICS_DISABLED: 'true' },
  settings: { runtime: 'python3.12' },
};

export async function startLab(options: LabOptions = {}): Promise<Lab> {
  const { port = 0, postgres = 'embedded', timeScale = 1, signal } = options;
  // Whatever is started is closed in reverse order: by an error on the way, else by close().
  await using parts = new AsyncDisposableStack();

  const bundles = await builtFunctions();
  signal?.throwIfAborted();
  const ssl = needsTls(postgres);
  const database = parts.use(
    await startPostgres({ ...options.server, source: postgres, ...(ssl ? { superuserTls: true } : {}) }),
  );
  signal?.throwIfAborted();
  const endpoint =
    options.seed === false || database.kind === 'url' ? undefined : parts.use(await startEndpoint(database));
  const redshift = options.redshift === true ? parts.use(await startRedshift(database)) : undefined;
  const secretsManager = parts.use(await startSecretsManager({ port, clock: startClock({ timeScale }) }));
  const client = new SecretsManagerClient({
    endpoint: secretsManager.endpoint,
    region: DEFAULT_REGION,
    credentials: { accessKeyId: 'lab', secretAccessKey: 'lab' },
  });
  parts.defer(() => client.destroy());

  const register = (strategy: StrategyName) =>
    secretsManager.functions.register({
      name: FUNCTION_NAMES[strategy],
      bundle: bundles[strategy],
      ...(endpoint !== undefined && strategy === 'alternating-users' && { environment: { ...endpoint.environment } }),
    });
  const bare = {
    endpoint: secretsManager.endpoint,
    region: DEFAULT_REGION,
    database,
    secretsManager,
    client,
    ssl,
    timeScale,
    functions: { 'single-user': register('single-user'), 'alternating-users': register('alternating-users') },
  };
  secretsManager.resources.stacks.set(STACK_NAME, {
    name: STACK_NAME,
    outputs: {
      SingleUserFunctionArn: bare.functions['single-user'],
      AlternatingUsersFunctionArn: bare.functions['alternating-users'],
    },
  });
  const awsFunction = secretsManager.functions.register({ ...AWS_FUNCTION, bundle: bundles['single-user'] });
  const superuser = await storeSuperuser(bare);
  const seeded = options.seed === false ? { superuser, applications: [] } : await seedApplications(bare, superuser);
  const byIam = endpoint === undefined ? [] : [await seedByIam(bare, endpoint)];
  const warehouses = redshift === undefined || options.seed === false ? [] : [await seedRedshift(bare, redshift)];
  const seed = { ...seeded, applications: [...seeded.applications, ...byIam, ...warehouses] };
  // A server that we started goes with everything in it; on somebody else's only what we made may go.
  if (database.kind === 'url') {
    parts.defer(async () => {
      await secretsManager.close();
      await removeApplications(database, seed.applications);
    });
  }
  signal?.throwIfAborted();

  const running = parts.move();
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= running.disposeAsync();
    return closed;
  };
  return { ...bare, seed, redshift, awsFunction, close, [Symbol.asyncDispose]: close };
}

/** A server elsewhere gets the superuser's password over verified TLS only, unless its URL says `?sslmode=disable`. */
export function needsTls(postgres: string): boolean {
  if (!URL.canParse(postgres)) return false;
  const { hostname, searchParams } = new URL(postgres);
  const mode = searchParams.get('sslmode');
  if (mode !== null) return mode !== 'disable';
  return !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}
