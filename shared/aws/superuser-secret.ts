import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { Deadline } from '../deadline.ts';
import { RotationError } from '../errors.ts';
import { superuserSecretMissing } from '../rotation/credential-errors.ts';
import type { Administrator, Credential, StoredVersion, SuperuserSecrets } from '../rotation/ports.ts';
import { isAnyPending } from '../rotation/version-stage.ts';
import { parseAdministratorSecret, type TokensFor } from '../secret/administrator-secret.ts';
import { isSameServer, type ServerLogin } from '../secret/database-secret.ts';
import { parseMembers } from '../secret/secret-members.ts';
import { connectToken } from './connect-token.ts';
import type { RdsServers } from './rds-servers.ts';
import { secretReader } from './secret-store.ts';

/** Tags that RDS puts on the master secrets it manages, which hold a user and a password only. */
const RDS_TAGS = ['aws:rds:primarydbinstancearn', 'aws:rds:primarydbclusterarn'];

/**
 * Superuser secrets from Secrets Manager.
 *
 * @param rds asked only for secrets that RDS manages and for read replicas.
 */
export function superuserSecrets(client: SecretsManagerClient, deadline: Deadline, rds: RdsServers): SuperuserSecrets {
  const named = ({ secret }: Credential) => {
    if (secret.superuserSecretArn === undefined) throw superuserSecretMissing(secret.misspelt);
    return secret.superuserSecretArn;
  };
  const ahead = new Map<string, Promise<StoredVersion | undefined>>();
  const readCurrent = (secretArn: string) => secretReader(client, secretArn, deadline).read({ stage: 'AWSCURRENT' });
  const tokensFor: TokensFor = (server) => ({ token: () => connectToken(client.config, server) });
  return {
    async ahead(secretArn) {
      const reading = readCurrent(secretArn);
      ahead.set(secretArn, reading);
      await reading.catch(() => undefined);
    },

    async read(of): Promise<Administrator> {
      const secretArn = named(of);
      try {
        const begun = ahead.get(secretArn);
        ahead.delete(secretArn);
        const version = await (begun ?? readCurrent(secretArn));
        if (version === undefined) throw unusable('it was not found, or has no current value');
        const text = needsServer(version.text)
          ? await withServer(version.text, await secretReader(client, secretArn, deadline).describe(), rds)
          : version.text;
        const secret = parseAdministratorSecret(text, tokensFor);
        if (!isSameServer(secret, of.secret)) await needReplica(secret, of.secret, rds);
        return { source: 'superuser', versionId: version.versionId, secret: asStrictAs(of, secret) };
      } catch (error) {
        throw error instanceof RotationError ? aboutSuperuserSecret(error, secretArn) : error;
      }
    },

    async isRotating(current) {
      try {
        const { stages } = await secretReader(client, named(current), deadline).describe();
        return isAnyPending(stages);
      } catch (error) {
        // AWS's functions need no DescribeSecret of it, so a role that was made for them does not allow it.
        if (error instanceof RotationError) return false;
        throw error;
      }
    },
  };
}

/** An RDS-managed secret is a JSON object without a host. Anything else, "Host" too, is the parser's to judge. */
function needsServer(text: string | undefined): text is string {
  try {
    return !Object.keys(parseMembers(text ?? '')).some((key) => key.toLowerCase() === 'host');
  } catch {
    return false;
  }
}

/** Adds what RDS knows about the server that the secret's tag names. */
async function withServer(
  text: string,
  { tags }: { tags: Readonly<Record<string, string>> },
  rds: RdsServers,
): Promise<string> {
  const tag = Object.entries(tags).find(([key]) => RDS_TAGS.includes(key.toLowerCase()));
  if (tag === undefined) throw unusable(`it has no "host" and none of the tags ${RDS_TAGS.join(', ')}`);
  const { host, port, engine } = await rds.serverOf(tag[1]);
  return JSON.stringify({ ...parseMembers(text), host, port, engine });
}

/** The superuser's password is sent over TLS at least as strict as the application's. */
function asStrictAs({ secret: { ssl } }: Credential, superuser: ServerLogin): ServerLogin {
  const strictness = (each: boolean | undefined) => [false, undefined, true].indexOf(each);
  return strictness(superuser.ssl) >= strictness(ssl) ? superuser : { ...superuser, ssl };
}

/** Its remedy speaks of that secret, where another would mean the one that is rotated. */
function aboutSuperuserSecret(error: RotationError, secretArn: string): RotationError {
  const remedy = error.template.replaceAll('{secretArn}', () => secretArn);
  return error.withRemedy(remedy).with({ credential: 'superuser' });
}

function unusable(found: string): RotationError {
  return new RotationError(
    'SUPERUSER_SECRET_UNUSABLE',
    `The superuser secret must tell a server, a user and a password, but ${found}.`,
    {
      remedy: 'Correct "masterarn", or the superuser secret that it names; the README lists the keys of both.',
      credential: 'superuser',
      key: 'masterarn',
    },
  );
}

/** Of the application's host, of the superuser's: RDS tells. */
async function needReplica(superuser: ServerLogin, current: ServerLogin, rds: RdsServers): Promise<void> {
  let unknown: RotationError | undefined;
  const isReplica = await rds.isReplica(current.host, superuser.host).catch((error: unknown) => {
    if (!(error instanceof RotationError)) throw error;
    unknown = error;
    return false;
  });
  if (!isReplica) throw onOtherServer(superuser, current, unknown);
}

/** @param unknown why RDS could not be asked whether one is a replica of the other. */
function onOtherServer(superuser: ServerLogin, current: ServerLogin, unknown?: RotationError): RotationError {
  const asked =
    unknown === undefined
      ? ''
      : `; whether the one is a replica of the other could not be asked (${unknown.message.replace(/\.$/, '')})`;
  const ask = unknown === undefined ? '' : ` If it is a replica: ${unknown.remedy}`;
  const isOpen = unknown?.code === 'RDS_UNAVAILABLE';
  return new RotationError(
    isOpen ? unknown.code : 'SUPERUSER_ON_OTHER_SERVER',
    `The superuser secret must be for ${current.host}:${current.port} or for its primary, and it is for ${superuser.host}:${superuser.port}${asked}.`,
    {
      remedy: isOpen
        ? unknown.template
        : `Put the ARN of that server's superuser secret into "masterarn", or write the same host and port into both.${ask}`,
      key: 'masterarn',
      host: superuser.host,
      port: superuser.port,
    },
  );
}
