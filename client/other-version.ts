import { areTwinsByName, type DatabaseSecret, isSameServer } from '../shared/secret/database-secret.ts';

/**
 * Whether the user and password of another version may be sent to where AWSCURRENT says; pure.
 *
 * They may not where the other version is for somebody else, or was made for another server or database, or asks for
 * more protection than AWSCURRENT does: whoever can write a secret, but not read it, could have the application send a
 * password that it still knows to a host of theirs, or in clear, or log in to a database of theirs, whose functions and
 * views would run as the application.
 */
export function mayStandIn(other: DatabaseSecret, current: DatabaseSecret): boolean {
  return (
    (other.username === current.username || areTwinsByName(other, current)) &&
    isSameServer(other, current) &&
    other.dbname === current.dbname &&
    isAsProtected(current, other)
  );
}

/** Whether the way that `now` takes is as safe as the one that `then` wanted. */
function isAsProtected(now: DatabaseSecret, then: DatabaseSecret): boolean {
  if (then.ssl === false) return true;
  return now.ssl !== false && certificateName(now) === certificateName(then);
}

function certificateName({ sslHostname, host }: DatabaseSecret): string {
  return (sslHostname ?? host).toLowerCase().replace(/\.$/, '');
}
