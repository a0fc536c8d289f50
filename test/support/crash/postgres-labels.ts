/** Names for PostgreSQL's messages, by which a moment of a session can be told (manual, "Message Formats"). */
import { LENGTH_BYTES, TYPE_BYTES } from '../../../scripts/relays/postgres-messages.ts';

const FRONTEND: Readonly<Record<string, string>> = {
  '': 'Startup',
  p: 'Password',
  P: 'Parse',
  B: 'Bind',
  D: 'Describe',
  E: 'Execute',
  S: 'Sync',
  H: 'Flush',
  d: 'CopyData',
  c: 'CopyDone',
  f: 'CopyFail',
  X: 'Terminate',
};

/** A name for each message of a client; nothing of its content but a statement's first word. */
export function frontendLabel(type: string, bytes: Buffer): string {
  if (type === 'Q') return `Query ${/\w+/.exec(bytes.toString('utf8', TYPE_BYTES + LENGTH_BYTES))?.[0] ?? ''}`;
  return FRONTEND[type] ?? `message ${type}`;
}

/**
 * A name for those messages of the server that say that something is done. The others (rows, their description,
 * parameters, notices) come in one piece with these.
 */
export function backendLabel(type: string, bytes: Buffer): string | undefined {
  const text = () => bytes.toString('utf8', TYPE_BYTES + LENGTH_BYTES, bytes.length - 1);
  switch (type) {
    case 'R':
      return `Authentication ${bytes.readInt32BE(TYPE_BYTES + LENGTH_BYTES)}`;
    case 'C':
      return `CommandComplete ${text()}`;
    case 'G':
      return 'CopyInResponse';
    case 'Z':
      return 'ReadyForQuery';
    case 'E':
      return 'ErrorResponse';
    default:
      return undefined;
  }
}
