/** How long a session may take to be there, to answer and to end. */
import type { Socket } from 'node:net';
import type { Client } from 'pg';
import type { Deadline } from '../deadline.ts';
import { TIMED_OUT } from './connect-error.ts';

/** How long, in ms, a TCP connection may take to be there. */
const CONNECT_WITHIN = 4_000;

/**
 * Rejects with TIMED_OUT where a TCP connection is not there in time: nobody answers, or the name led to a host that is
 * gone, and may lead elsewhere by now. What comes after it has no limit of its own: a paused Aurora Serverless takes its
 * connections at once, and 15 s and more to answer.
 */
export function connectedInTime(socket: Socket): Promise<never> {
  let timer: NodeJS.Timeout | undefined;
  return new Promise((_, reject) => {
    // For each address that a name has: the driver tries them in turn.
    socket.on('connectionAttempt', () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        reject(TIMED_OUT);
        socket.destroy();
      }, CONNECT_WITHIN);
    });
    for (const event of ['connect', 'close']) socket.once(event, () => clearTimeout(timer));
  });
}

/** Waits for `promise`, but not beyond the deadline: then it rejects with TIMED_OUT. */
export async function before<T>(deadline: Deadline, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(TIMED_OUT), deadline.remaining());
  });
  promise.catch(() => {});
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Ends the session politely, for at most a second; then hangs up, and the server ends it. */
export async function close(client: Client, socket: Socket, deadline: Deadline): Promise<void> {
  if (!socket.destroyed && !deadline.passed) {
    const polite = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(1_000, deadline.remaining()));
      client
        .end()
        .catch(() => {})
        .finally(() => {
          clearTimeout(timer);
          resolve();
        });
    });
    await polite;
  }
  socket.destroy();
}
