import { setTimeout as sleep } from 'node:timers/promises';

const EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
/** What a shell shows for a process whose reader went away. */
const SIGPIPE_EXIT_CODE = 141;
/** npm passes a Ctrl-C on that the terminal has sent to us as well: one key, two signals. */
const SAME_KEY_MS = 1_000;
const PARENT_MS = 500;

/**
 * Runs a command: its exit code is what `work` returns, or 1 after an error, which is told in one line.
 *
 * Ctrl-C, SIGTERM, SIGHUP, the death of the npm that started it and a reader of our output that went away abort the signal that `work` gets. It then has to
 * return soon, with everything cleaned up; a second Ctrl-C does not wait for that.
 */
export async function runCommand(work: (signal: AbortSignal) => Promise<number>): Promise<never> {
  const interruption = new AbortController();
  let exitCode = 0;
  let interruptedAt = 0;
  const interrupt = (code: number) => {
    if (interruption.signal.aborted) {
      if (performance.now() - interruptedAt > SAME_KEY_MS) process.exit(exitCode);
      return;
    }
    exitCode = code;
    interruptedAt = performance.now();
    interruption.abort();
  };
  for (const [name, code] of Object.entries(EXIT_CODES)) process.on(name, () => interrupt(code));
  if (process.env.npm_lifecycle_event !== undefined) onceOrphaned(() => interrupt(EXIT_CODES.SIGTERM));
  process.stdout.on('error', (error: NodeJS.ErrnoException) => interrupt(codeOfFailedWrite(error)));

  try {
    const code = await work(interruption.signal);
    const output = written(process.stdout);
    await unlessAborted(interruption.signal, output).catch(() => Promise.race([output, sleep(SAME_KEY_MS)]));
    process.exit(interruption.signal.aborted ? exitCode : code);
  } catch (error) {
    if (interruption.signal.aborted) process.exit(exitCode);
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
}

/** npm that is killed tells nobody, and npm that gets SIGTERM passes it on to a shell: both are seen by the new parent. */
function onceOrphaned(tell: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    tell();
  }, PARENT_MS).unref();
}

/** A pipe takes 64 KiB at a time: what is not taken yet when the process exits is lost. */
async function written(stream: NodeJS.WriteStream): Promise<void> {
  await new Promise<void>((resolve) => stream.write('', () => resolve()));
}

/** A reader that went away has what it wanted; a disk that is full is a failure, and stderr may still be read. */
function codeOfFailedWrite({ code = 'unknown' }: NodeJS.ErrnoException): number {
  if (code === 'EPIPE') return SIGPIPE_EXIT_CODE;
  process.stderr.write(`What was to be written to stdout could not be (${code}).\n`);
  return 1;
}

/** Settles as `work` does, or rejects as soon as the signal is aborted; what `work` does then is nobody's concern. */
export async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
  });
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  work.catch(() => undefined);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Resolves once the signal is aborted, and keeps the process alive until then. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await sleep(2 ** 30, undefined, { signal }).catch(() => undefined);
}
