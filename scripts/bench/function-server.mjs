/**
 * Serves one built rotation function by lines: an event in, `{"ok":true}` or `{"error":"…"}` out, one after the other.
 * What the function logs goes to stderr.
 *
 * JavaScript and nothing but Node, because start-up is measured through it: stripping types would cost more than the
 * function itself.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { TIMEOUT_MS } from './timeout.mjs';

/**
 * @param {string} bundle path of an index.mjs
 * @param {{ input?: import('node:stream').Readable, answer?: (line: string) => void }} [streams]
 */
export async function serveFunction(bundle, { input = process.stdin, answer = takeStdout() } = {}) {
  const { handler } = await import(pathToFileURL(bundle).href);
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  /** @type {Promise<unknown>} */
  let last = Promise.resolve();
  lines.on('line', (line) => {
    if (line.trim() === '') return;
    last = last.then(async () => answer(`${JSON.stringify(await invoke(handler, line))}\n`));
  });
  await once(lines, 'close');
  await last;
}

/**
 * @param {(event: unknown, context: { getRemainingTimeInMillis(): number }) => Promise<void>} handler
 * @param {string} line
 */
async function invoke(handler, line) {
  try {
    const deadline = Date.now() + TIMEOUT_MS;
    await handler(JSON.parse(line), { getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()) });
    return { ok: true };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

/** Keeps stdout for the answers and sends everything else that is written to it to stderr. */
function takeStdout() {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr);
  return write;
}

if (import.meta.main) await serveFunction(process.argv[2] ?? '');
