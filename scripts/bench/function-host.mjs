/**
 * Hosts the instances of one built rotation function, a fleet of which would not fit on one machine as processes. Each
 * has the module's state to itself, its own client and memory, and takes one invocation at a time, as on Lambda.
 * The module is compiled once for all: a thousand compilations would be these CPUs' work and is nobody's on Lambda, where
 * each instance comes with a share of one. What a cold start takes is the benchmark `cold`.
 * Messages: `{ id, event }` in, `{ id, error? }` out.
 */
import { readFile } from 'node:fs/promises';
import { compileFunction, constants } from 'node:vm';
import { transform } from 'esbuild';
import { TIMEOUT_MS } from './timeout.mjs';

/** @typedef {{ handler(event: unknown, context: { getRemainingTimeInMillis(): number }): Promise<void> }} Instance */

const [, , bundle = ''] = process.argv;
const { code } = await transform(await readFile(bundle, 'utf8'), { format: 'cjs' });
const evaluate = compileFunction(code, ['module'], {
  filename: bundle,
  importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
});
/** @type {Instance[]} */
const idle = [];

/** @returns {Instance} */
function newInstance() {
  const module = { exports: {} };
  evaluate(module);
  return /** @type {Instance} */ (module.exports);
}

/** @param {{ readonly id: number, readonly error?: string }} answer */
function send(answer) {
  process.send?.(answer);
}

process.on('message', async (/** @type {{ id: number, event: unknown }} */ { id, event }) => {
  const mine = idle.pop() ?? newInstance();
  const deadline = Date.now() + TIMEOUT_MS;
  try {
    await mine.handler(event, { getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()) });
    send({ id });
  } catch (error) {
    send({ id, error: error instanceof Error && 'code' in error ? `${error.code}: ${error.message}` : String(error) });
  }
  idle.push(mine);
});
process.on('disconnect', () => process.exit(0));
send({ id: 0 });
