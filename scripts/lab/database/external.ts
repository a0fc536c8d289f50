import type { ServerInstance } from './instance.ts';

/** A server that somebody else runs: `postgres://superuser:password@host:port`. It is left running. */
export function externalServer(url: string): ServerInstance {
  const { protocol, hostname, port, username, password } = new URL(url);
  if (!/^postgres(ql)?:$/.test(protocol) || hostname === '' || username === '') {
    throw new Error('A PostgreSQL server is named by a URL of the form postgres://superuser:password@host:port.');
  }
  const refuse = async () => {
    throw new Error('A PostgreSQL server given by its URL can be used, and not be stopped or restarted.');
  };
  return {
    kind: 'url',
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port || 5432),
    superuser: { username: decodeURIComponent(username), password: decodeURIComponent(password) },
    log: async () => '',
    stop: refuse,
    restart: refuse,
    close: async () => undefined,
  };
}
