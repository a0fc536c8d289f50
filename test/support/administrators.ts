import { afterAll } from 'vitest';
import type { IamFront } from '../../scripts/lab/database/iam-front.ts';
import type { PostgresServer } from '../../scripts/lab/database/server.ts';
import { RdsEndpoint } from './rds-server.ts';
import type { TwinOptions } from './twin-options.ts';

/** Whether administrators log in by IAM where a test does not say how: ADMINISTRATORS=iam. */
const ALL_BY_IAM = process.env.ADMINISTRATORS === 'iam';

const endpoints = new Map<PostgresServer, Promise<{ readonly endpoint: RdsEndpoint; readonly front: IamFront }>>();

if (ALL_BY_IAM) {
  afterAll(async () => {
    for (const started of endpoints.values()) {
      const { endpoint, front } = await started;
      await front[Symbol.asyncDispose]();
      await endpoint[Symbol.asyncDispose]();
    }
    endpoints.clear();
  });
}

/** The options with which the twins' administrator logs in by IAM, where it is to do so. */
export async function byIamWhereWanted(server: PostgresServer, options: TwinOptions): Promise<TwinOptions> {
  // A test that says where servers are, or what the superuser secret holds, is about that.
  const { environment = {}, members = {}, superuserMembers } = options;
  if (!ALL_BY_IAM || superuserMembers !== undefined || 'HOSTS' in environment || 'host' in members) return options;
  const started =
    endpoints.get(server) ??
    RdsEndpoint.of(server).then(async (endpoint) => ({ endpoint, front: await endpoint.front() }));
  endpoints.set(server, started);
  const { endpoint, front } = await started;
  return endpoint.byIam(front, { admin: 'superuser', ...options });
}
