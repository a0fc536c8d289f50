/** Entry of a function's process: loads the bundle and answers invocations as Lambda's Node.js runtime does. */
import { pathToFileURL } from 'node:url';
import {
  endOfLog,
  type FromFunction,
  type Invocation,
  type InvocationFailure,
  type InvocationResult,
} from './protocol.ts';

type Handler = (event: unknown, context: object) => unknown;

const { env } = process;

function send(message: FromFunction): void {
  process.send?.(message);
}

async function loadHandler(bundle: string): Promise<Handler> {
  const module: Record<string, unknown> = await import(pathToFileURL(bundle).href);
  const { handler } = module;
  if (typeof handler !== 'function') throw new TypeError('index.handler is undefined or not exported');
  return (event, context) => handler(event, context);
}

function contextOf({ requestId, functionArn, timeoutMs }: Invocation) {
  const deadline = Date.now() + timeoutMs;
  return {
    awsRequestId: requestId,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    invokedFunctionArn: functionArn,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
}

function failureOf(error: unknown): InvocationFailure {
  if (!(error instanceof Error)) {
    return { ok: false, errorType: typeof error, errorMessage: String(error), trace: [] };
  }
  return { ok: false, errorType: error.name, errorMessage: error.message, trace: (error.stack ?? '').split('\n') };
}

async function answer(handler: Handler, invocation: Invocation): Promise<InvocationResult> {
  try {
    const payload = await handler(invocation.event, contextOf(invocation));
    return { ok: true, payload: payload ?? null };
  } catch (error) {
    return failureOf(error);
  }
}

function endLog(requestId: string): void {
  // Led by a newline, in case the function's last line has none.
  process.stdout.write(`\n${endOfLog(requestId)}\n`);
  process.stderr.write(`\n${endOfLog(requestId)}\n`);
}

// No process is left behind when the lab dies.
process.on('disconnect', () => process.exit(0));

try {
  const handler = await loadHandler(process.argv[2] ?? '');
  process.on('message', async (invocation: Invocation) => {
    const result = await answer(handler, invocation);
    endLog(invocation.requestId);
    send({ kind: 'result', result });
  });
  send({ kind: 'ready' });
} catch (error) {
  send({ kind: 'init-failed', failure: failureOf(error) });
}
