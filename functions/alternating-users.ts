/**
 * Alternating-users rotation: two twin logins take turns. Built to dist/alternating-users/index.mjs.
 *
 * Attach it to a secret that names its superuser secret in `masterarn`; Secrets Manager then calls `handler` four times
 * a rotation.
 */
import { asPatientAs, rdsServers } from '../shared/aws/rds-servers.ts';
import { superuserSecrets } from '../shared/aws/superuser-secret.ts';
import { postgresTwins } from '../shared/database/twins.ts';
import { rotationHandler } from '../shared/lambda/handler.ts';
import { alternatingUsers } from '../shared/rotation/alternating-users.ts';

export const handler = rotationHandler(alternatingUsers, {
  superusers: (client, deadline) =>
    superuserSecrets(
      client,
      deadline,
      rdsServers(({ RDSClient }) => new RDSClient(asPatientAs(client)), deadline),
    ),
  twins: postgresTwins,
});
