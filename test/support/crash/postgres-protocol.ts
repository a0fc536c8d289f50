/** PostgreSQL's frontend/backend protocol 3, as far as telling messages apart goes (manual, "Message Formats"). */
export interface Frame {
  /** The message's type byte; '' for the startup message, which has none. */
  readonly type: string;
  /** The whole message. */
  readonly bytes: Buffer;
}

const TYPE_BYTES = 1;
const LENGTH_BYTES = 4;

/** Cuts what one side sends into messages. */
export async function* frames(source: AsyncIterable<Buffer>, startsWithStartup: boolean): AsyncIterable<Frame> {
  let pending = Buffer.alloc(0);
  let typed = !startsWithStartup;
  for await (const chunk of source) {
    pending = Buffer.concat([pending, chunk]);
    for (;;) {
      const head = typed ? TYPE_BYTES : 0;
      if (pending.length < head + LENGTH_BYTES) break;
      const length = head + pending.readInt32BE(head);
      if (pending.length < length) break;
      yield { type: typed ? pending.toString('latin1', 0, 1) : '', bytes: pending.subarray(0, length) };
      pending = pending.subarray(length);
      typed = true;
    }
  }
}

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
