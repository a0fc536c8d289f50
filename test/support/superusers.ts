import { asPatientAs, rdsServers } from '../../shared/aws/rds-servers.ts';
import { superuserSecrets } from '../../shared/aws/superuser-secret.ts';
import type { StrategyParts } from '../../shared/lambda/handler.ts';

/** As functions/alternating-users.ts wires them. */
export const superusers: NonNullable<StrategyParts['superusers']> = (client, deadline) =>
  superuserSecrets(
    client,
    deadline,
    rdsServers(({ RDSClient }) => new RDSClient(asPatientAs(client)), deadline),
  );
