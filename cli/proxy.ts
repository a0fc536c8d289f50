/** The way to AWS through a proxy, and whose certificates are trusted on it: what the AWS CLI heeds and the SDK does not. */
import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { usage } from './failures.ts';

type Variables = Readonly<Record<string, string | undefined>>;

/** As many connections at a time as the SDK's own agents have. */
const MAX_SOCKETS = 50;

/** @throws CommandError where AWS_CA_BUNDLE can't be read. */
export function agents(environment: Variables): { readonly httpAgent: HttpAgent; readonly httpsAgent: HttpsAgent } {
  // Node.js knows HTTPS_PROXY, HTTP_PROXY and NO_PROXY, in small letters too.
  const options = { keepAlive: true, maxSockets: MAX_SOCKETS, proxyEnv: { ...environment } };
  const ca = bundleOf(environment);
  return { httpAgent: new HttpAgent(options), httpsAgent: new HttpsAgent({ ...options, ...(ca && { ca }) }) };
}

/** As with the CLI, it replaces the certificates that are trusted otherwise. */
function bundleOf({ AWS_CA_BUNDLE: path }: Variables): string | undefined {
  if (!path) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error ? String(Reflect.get(error, 'code') ?? error.name) : '';
    throw usage(`AWS_CA_BUNDLE must name a file of CA certificates, and ${path} can't be read (${code}).`);
  }
}
