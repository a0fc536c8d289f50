/** PostgreSQL's frontend/backend protocol 3, as far as finding its messages goes (manual, "Message Formats"). */
export interface Frame {
  /** The message's type byte; '' for the startup message, which has none. */
  readonly type: string;
  /** The whole message. */
  readonly bytes: Buffer;
}

export const TYPE_BYTES = 1;
/** They count themselves, and not the type. */
export const LENGTH_BYTES = 4;

/** Cuts what one side sends into messages. */
export class MessageReader {
  #pending: Buffer = Buffer.alloc(0);
  #typed: boolean;

  constructor({ startsWithStartup = false } = {}) {
    this.#typed = !startsWithStartup;
  }

  /** @returns the messages that end in this chunk. */
  read(chunk: Buffer): Frame[] {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    const found: Frame[] = [];
    for (;;) {
      const head = this.#typed ? TYPE_BYTES : 0;
      if (this.#pending.length < head + LENGTH_BYTES) return found;
      const length = head + this.#pending.readInt32BE(head);
      if (this.#pending.length < length) return found;
      const type = this.#typed ? this.#pending.toString('latin1', 0, TYPE_BYTES) : '';
      found.push({ type, bytes: this.#pending.subarray(0, length) });
      this.#pending = this.#pending.subarray(length);
      this.#typed = true;
    }
  }
}

export async function* frames(source: AsyncIterable<Buffer>, startsWithStartup: boolean): AsyncIterable<Frame> {
  const reader = new MessageReader({ startsWithStartup });
  for await (const chunk of source) yield* reader.read(chunk);
}

/** Codes in the place of a protocol version, by which a client asks for TLS or for GSSAPI's encryption. */
export const SSL_REQUEST = 80_877_103;
export const GSS_REQUEST = 80_877_104;

/** Of the startup message: its length, the protocol version, then names and values. */
export function startupParameters({ bytes }: Frame): Readonly<Record<string, string>> {
  const words = bytes.toString('utf8', 8).split('\0');
  return Object.fromEntries(
    words.flatMap((word, index) => (index % 2 === 0 && word !== '' ? [[word, words[index + 1] ?? '']] : [])),
  );
}
