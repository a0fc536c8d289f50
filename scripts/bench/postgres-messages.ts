/** Finds the messages in one direction of a PostgreSQL connection, after its start-up message. */
export class MessageReader {
  readonly #met: (type: string) => void;
  #rest: Buffer = Buffer.alloc(0);

  /** @param met is told the type of each message: one letter. */
  constructor(met: (type: string) => void) {
    this.#met = met;
  }

  read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    // One byte of type and four of length, which counts itself.
    while (this.#rest.length >= 5) {
      const length = 1 + this.#rest.readInt32BE(1);
      if (this.#rest.length < length) return;
      this.#met(String.fromCharCode(this.#rest[0] ?? 0));
      this.#rest = this.#rest.subarray(length);
    }
  }
}
