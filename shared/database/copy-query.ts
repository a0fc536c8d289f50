import { type Client, type Connection, Query, type QueryConfig } from 'pg';

/** What the driver's connection has, and its types leave out. */
interface CopyConnection extends Connection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

/**
 * The driver's query with its COPY data right behind it, in one write: a server that asks for the data has it by then. Were
 * it sent when asked for, a function that fell silent between the two would leave the server waiting inside of COPY, where
 * PostgreSQL heeds no time-out, with the role's row held. Data that no COPY reads, as the statements before it have failed,
 * is dropped (PostgreSQL manual, "COPY Operations").
 */
class CopyQuery extends Query {
  readonly #data: Buffer;

  constructor(text: string, data: Buffer, callback: (error: Error | null) => void) {
    // The driver takes (config, callback); its types know only the config.
    super(...([{ text }, callback] as unknown as [QueryConfig]));
    this.#data = data;
  }

  override submit = (connection: Connection): void => {
    const copying = connection as CopyConnection;
    copying.stream.cork();
    Query.prototype.submit.call(this, copying);
    copying.sendCopyFromChunk(this.#data);
    copying.endCopyFrom();
    copying.stream.uncork();
  };

  /** It has been answered already; the driver itself would decline. */
  handleCopyInResponse(): void {}
}

/** Sends statements of which one is `COPY … FROM STDIN`. @param data what that reads */
export function copyQuery(client: Client, text: string, data: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    client.query(new CopyQuery(text, data, (error) => (error ? reject(error) : resolve())));
  });
}
