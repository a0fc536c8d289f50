/**
 * Hosts the instances of one built rotation function, a fleet of which would not fit on one machine as processes. Each
 * is a copy of the module, with its own client and memory, and takes one invocation at a time, as on Lambda.
 * Messages: `{ id, event }` in, `{ id, error? }` out.
 */
import { pathToFileURL } from 'node:url';

const [, , bundle, timeout] = process.argv;
const { href } = pathToFileURL(bundle);
const idle = [];
let made = 0;

async function instance() {
  return idle.pop() ?? (await import(`${href}?instance=${++made}`));
}

process.on('message', async ({ id, event }) => {
  const deadline = Date.now() + Number(timeout);
  const mine = await instance();
  try {
    await mine.handler(event, { getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()) });
    process.send({ id });
  } catch (error) {
    process.send({ id, error: `${error.code}: ${error.message}` });
  }
  idle.push(mine);
});
process.on('disconnect', () => process.exit(0));
process.send({ id: 0 });
