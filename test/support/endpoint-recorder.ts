import { ApiRelay } from '../../scripts/relays/api-relay.ts';

export interface RecordedCall {
  readonly operation: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** An endpoint of Secrets Manager that hands everything on to another one, and remembers what was asked. */
export class EndpointRecorder implements AsyncDisposable {
  readonly calls: RecordedCall[];
  readonly endpoint: string;
  readonly #relay: ApiRelay;

  static async start(target: { readonly endpoint: string }): Promise<EndpointRecorder> {
    const calls: RecordedCall[] = [];
    const relay = await ApiRelay.start(target.endpoint, {
      request({ operation, body }) {
        calls.push({ operation, body: JSON.parse(body) });
        return 'pass';
      },
      answer: () => 'pass',
    });
    return new EndpointRecorder(relay, calls);
  }

  private constructor(relay: ApiRelay, calls: RecordedCall[]) {
    this.#relay = relay;
    this.endpoint = relay.endpoint;
    this.calls = calls;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#relay[Symbol.asyncDispose]();
  }
}
