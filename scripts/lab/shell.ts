import { devNull } from 'node:os';

/** What AWS's SDKs, libpq and pg, and Node would read; a proxy would be asked for what is on this machine. */
const OTHERS = /^(?:AWS_.*|PG.*|NODE_OPTIONS|NODE_USE_ENV_PROXY)$/;

/** Nor do the SDKs read the machine's files, or ask it who it is. */
const NOBODY = {
  AWS_CONFIG_FILE: devNull,
  AWS_SHARED_CREDENTIALS_FILE: devNull,
  AWS_EC2_METADATA_DISABLED: 'true',
};

/**
 * Takes out of an environment what a shell has exported for other ends: a profile, an endpoint or PGOPTIONS have no say
 * in the lab, the demo, the benchmarks and the tests, nor in the processes that these start.
 *
 * @returns what was there, for who is told to use some of it.
 */
export function forgetShell(environment: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const found = Object.entries(environment).filter(([name]) => OTHERS.test(name));
  for (const [name] of found) delete environment[name];
  Object.assign(environment, NOBODY);
  return Object.fromEntries(found);
}
