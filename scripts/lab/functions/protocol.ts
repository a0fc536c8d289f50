/** What the lab and a function's process say to each other over the IPC channel. */
export interface Invocation {
  requestId: string;
  functionArn: string;
  event: unknown;
  timeoutMs: number;
}

export interface InvocationFailure {
  ok: false;
  errorType: string;
  errorMessage: string;
  trace: string[];
}

export type InvocationResult = { ok: true; payload: unknown } | InvocationFailure;

/** The process to the lab: the bundle is loaded, or an invocation has ended. */
export type FromFunction =
  | { kind: 'ready' }
  | { kind: 'init-failed'; failure: InvocationFailure }
  | { kind: 'result'; result: InvocationResult };

/** Written by the process to both of its streams after an invocation, as Lambda does in a function's log. */
export const endOfLog = (requestId: string) => `END RequestId: ${requestId}`;
