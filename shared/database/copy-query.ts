import { type Client, Query, type QueryConfig } from 'pg';

/** The driver's query, answering the server's request for COPY data, which the driver itself always declines. */
class CopyQuery extends Query {
  readonly #data: Buffer;

  constructor(text: string, data: Buffer, callback: (error: Error | null) => void) {
    // The driver takes (config, callback); its types know only the config.
    super(...([{ text }, callback] as unknown as [QueryConfig]));
    this.#data = data;
  }

  handleCopyInResponse(connection: { sendCopyFromChunk(chunk: Buffer): void; endCopyFrom(): void }): void {
    connection.sendCopyFromChunk(this.#data);
    connection.endCopyFrom();
  }
}

/** Sends statements of which one is `COPY … FROM STDIN`. @param data what that reads */
export function copyQuery(client: Client, text: string, data: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    client.query(new CopyQuery(text, data, (error) => (error ? reject(error) : resolve())));
  });
}
