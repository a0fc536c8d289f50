/**
 * Hosts the instances of one built rotation function, a fleet of which would not fit on one machine as processes. Each
 * is a copy of the module, with its own client and memory, and takes one invocation at a time, as on Lambda.
 * Messages: `{ id, event }` in, `{ id, error? }` out.
 */
import { pathToFileURL } from 'node:url';

const [, , bundle = '', timeout] = process.argv;
const { href } = pathToFileURL(bundle);
/** @type {{ handler(event: unknown, context: { getRemainingTimeInMillis(): number }): Promise<void> }[]} */
const idle = [];
let made = 0;

async function instance() {
  return idle.pop() ?? (await import(`${href}?instance=${++made}`));
}

/** @param {{ readonly id: number, readonly error?: string }} answer */
function send(answer) {
  process.send?.(answer);
}

process.on('message', async (/** @type {{ id: number, event: unknown }} */ { id, event }) => {
  const deadline = Date.now() + Number(timeout);
  const mine = await instance();
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
