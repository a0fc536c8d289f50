import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { StrategyName } from '../../shared/rotation/strategy.ts';
import type { PostgresServer } from './database/server.ts';
import type { SecretsLab } from './secrets-lab.ts';

/** What a lab consists of before it has applications. */
export interface LabParts {
  readonly endpoint: string;
  readonly region: string;
  readonly database: PostgresServer;
  readonly secretsManager: SecretsLab;
  /** Talks to the lab's Secrets Manager. Ends with the lab. */
  readonly client: SecretsManagerClient;
  /** The functions' ARNs. */
  readonly functions: Readonly<Record<StrategyName, string>>;
  /** Whether the database is reached over TLS. */
  readonly ssl: boolean;
  readonly timeScale: number;
}
