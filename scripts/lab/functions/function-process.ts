/** One instance of a function: a process of its own with Lambda's environment, killed at the deadline. */
import { type ChildProcess, fork } from 'node:child_process';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { FUNCTION_CREDENTIALS } from '../account.ts';
import type { FunctionLogLine } from '../events.ts';
import { endOfLog, type FromFunction, type Invocation, type InvocationResult } from './protocol.ts';

export type LogLine = Omit<FunctionLogLine, 'logStream'>;

export interface FunctionSettings {
  name: string;
  arn: string;
  bundle: string;
  region: string;
  timeoutMs: number;
  environment: Record<string, string>;
  logStream: string;
  onLog: (line: LogLine) => void;
}

const { COVERAGE_FOLDER } = process.env;
const RUNTIME = fileURLToPath(new URL('./runtime.ts', import.meta.url));
// Lambda's own limit for loading a function.
const INIT_TIMEOUT_MS = 10_000;
// For functions that closed their own output.
const LOG_DRAIN_MS = 2_000;
// For the coverage that a process writes as it ends; see `npm run test:coverage`.
const COVERAGE_MS = 5_000;

export class FunctionProcess {
  readonly #settings: FunctionSettings;
  readonly #child: ChildProcess;
  readonly #exited: Promise<string>;
  readonly #initialised: Promise<InvocationResult | undefined>;
  readonly #logEnds = new Map<string, () => void>();
  #requestId: string | undefined;
  #usable = true;

  constructor(settings: FunctionSettings) {
    this.#settings = settings;
    this.#child = fork(RUNTIME, [settings.bundle], {
      cwd: dirname(settings.bundle),
      env: environmentOf(settings),
      execArgv: [],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#exited = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        this.#usable = false;
        resolve(signal ? `signal: ${signal}` : `exit status ${code}`);
      });
      this.#child.once('error', () => resolve('the process could not be started'));
    });
    this.#readLog('stdout');
    this.#readLog('stderr');
    this.#initialised = this.#initialise();
  }

  /** False once the process has ended: the next invocation needs a new one. */
  get isUsable(): boolean {
    return this.#usable;
  }

  async invoke(invocation: Invocation): Promise<InvocationResult> {
    this.#requestId = invocation.requestId;
    const failedInit = await this.#initialised;
    if (failedInit) {
      await this.kill();
      return failedInit;
    }
    const result = await this.#answer(invocation);
    this.#requestId = undefined;
    return result;
  }

  async kill(): Promise<void> {
    this.#usable = false;
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      if (COVERAGE_FOLDER !== undefined) await this.#writeCoverage();
      this.#child.kill('SIGKILL');
    }
    await this.#exited;
  }

  /** A killed process writes none: this one is let go instead, and ends by itself unless it hangs. */
  async #writeCoverage(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await Promise.race([this.#exited, delay(COVERAGE_MS, undefined, { ref: false })]);
  }

  async #initialise(): Promise<InvocationResult | undefined> {
    const first = await this.#race(INIT_TIMEOUT_MS, () => this.#nextMessage());
    if (first === 'timed out')
      return failure('Sandbox.Timedout', `Init timed out after ${INIT_TIMEOUT_MS / 1000} seconds`);
    if ('exit' in first) return this.#exitFailure(first.exit);
    return first.value.kind === 'init-failed' ? first.value.failure : undefined;
  }

  async #answer(invocation: Invocation): Promise<InvocationResult> {
    const logEnded = this.#endOfLog(invocation.requestId);
    const answer = await this.#race(invocation.timeoutMs, () => {
      const reply = this.#nextMessage();
      this.#child.send(invocation, () => undefined);
      return reply;
    });
    if (answer === 'timed out') {
      await this.kill();
      const seconds = (invocation.timeoutMs / 1000).toFixed(2);
      return this.#platformFailure('Sandbox.Timedout', `Task timed out after ${seconds} seconds`);
    }
    if ('exit' in answer) return this.#exitFailure(answer.exit);
    await Promise.race([logEnded, this.#exited, delay(LOG_DRAIN_MS, undefined, { ref: false })]);
    if (answer.value.kind === 'result') return answer.value.result;
    return failure('Runtime.Unknown', `The function's process answered out of turn: ${answer.value.kind}.`);
  }

  async #race<T>(ms: number, work: () => Promise<T>): Promise<{ value: T } | { exit: string } | 'timed out'> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<'timed out'>((resolve) => {
      timer = setTimeout(resolve, ms, 'timed out');
    });
    try {
      return await Promise.race([
        work().then((value) => ({ value })),
        this.#exited.then((exit) => ({ exit })),
        timeout,
      ]);
    } finally {
      clearTimeout(timer);
    }
  }

  #nextMessage(): Promise<FromFunction> {
    return new Promise((resolve) => this.#child.once('message', (message: FromFunction) => resolve(message)));
  }

  #exitFailure(exit: string): InvocationResult {
    return this.#platformFailure('Runtime.ExitError', `Runtime exited with error: ${exit}`);
  }

  /** Told in the function's log too, as Lambda does. */
  #platformFailure(errorType: string, what: string): InvocationResult {
    const errorMessage = `RequestId: ${this.#requestId} Error: ${what}`;
    this.#settings.onLog({ requestId: this.#requestId, stream: 'platform', line: errorMessage });
    return failure(errorType, errorMessage);
  }

  #readLog(stream: 'stdout' | 'stderr'): void {
    const source = this.#child[stream];
    if (!source) return;
    createInterface({ input: source }).on('line', (line) => {
      const ended = this.#logEnds.get(`${stream} ${line}`);
      if (ended) ended();
      else if (line !== '') this.#settings.onLog({ requestId: this.#requestId, stream, line });
    });
  }

  /** The streams and the IPC channel race each other: a result counts once the log before it has been read. */
  async #endOfLog(requestId: string): Promise<void> {
    const streams = ['stdout', 'stderr'].map((stream) => `${stream} ${endOfLog(requestId)}`);
    const seen = streams.map((key) => new Promise<void>((resolve) => this.#logEnds.set(key, resolve)));
    await Promise.all(seen);
    for (const key of streams) this.#logEnds.delete(key);
  }
}

const failure = (errorType: string, errorMessage: string): InvocationResult => ({
  ok: false,
  errorType,
  errorMessage,
  trace: [],
});

/** What Lambda sets, and from this machine only what a process needs to start. */
function environmentOf(settings: FunctionSettings): NodeJS.ProcessEnv {
  const { name, region, bundle } = settings;
  return {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    LANG: 'en_US.UTF-8',
    TZ: ':UTC',
    _HANDLER: 'index.handler',
    AWS_ACCESS_KEY_ID: FUNCTION_CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: FUNCTION_CREDENTIALS.secretAccessKey,
    AWS_SESSION_TOKEN: FUNCTION_CREDENTIALS.sessionToken,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_NAME: name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256',
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: settings.logStream,
    LAMBDA_TASK_ROOT: dirname(bundle),
    ...(COVERAGE_FOLDER !== undefined && { NODE_V8_COVERAGE: COVERAGE_FOLDER }),
    ...settings.environment,
  };
}
