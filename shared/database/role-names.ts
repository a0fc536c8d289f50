import { RotationError } from '../errors.ts';
import { isAscii } from '../secret/password.ts';

/** A session, or as much as is known of one that begins. */
interface NamedDatabase {
  readonly login: { readonly host: string; readonly port: number; readonly database: string };
  /** server_encoding. */
  readonly encoding: string;
}

/**
 * Role names are bytes that all databases of a server share. In a database that is not in UTF8 an SQL statement's "café"
 * has other bytes than the name that logs in, and so it is another role, or none. So there only ASCII is taken.
 *
 * @throws RotationError ROLE_NAME_ENCODING
 */
export function needSpellable({ login, encoding }: NamedDatabase, names: readonly string[]) {
  // Redshift, which has no other, calls it as PostgreSQL 8.0 did.
  if (encoding === 'UTF8' || encoding === 'UNICODE') return;
  const name = names.find((each) => !isAscii(each));
  if (name === undefined) return;
  const { host, port, database } = login;
  throw new RotationError(
    'ROLE_NAME_ENCODING',
    `A database in UTF8 was needed to name the role ${name} in, and ${database} is in ${encoding}.`,
    {
      remedy:
        'Put the name of a database in UTF8 into "dbname" of {secret} (SELECT datname, pg_encoding_to_char(encoding) FROM pg_database;), or rename the role in ASCII.',
      host,
      port,
      database,
      username: name,
    },
  );
}
