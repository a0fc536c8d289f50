const HOOK = new URL('../../scripts/lab/functions/hosts.mjs', import.meta.url).href;

/**
 * For a function that is to find names at addresses of ours, such as the endpoints that RDS gives its servers.
 *
 * @param hosts by name; of several addresses (or errors, such as EAI_AGAIN) each look-up finds the next one.
 */
export function hostsEnvironment(
  hosts: Readonly<Record<string, string | readonly string[]>>,
): Readonly<Record<string, string>> {
  return { NODE_OPTIONS: `--import=${HOOK}`, HOSTS: JSON.stringify(hosts) };
}
