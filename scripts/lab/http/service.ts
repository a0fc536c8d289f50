/** What a service of the lab is to the HTTP front: it answers requests, and puts its refusals into its protocol's words. */

export interface ServiceRequest {
  readonly method: string;
  /** Path and query string, as sent. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** That the caller signed for. */
  readonly region: string;
  /** Of the caller. */
  readonly account: string;
  readonly requestId: string;
}

export interface ServiceReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface EndpointService {
  /**
   * Answers one request.
   * @returns undefined where the connection is to be cut.
   * @throws ServiceError, which `refusal` puts into words.
   */
  reply(request: ServiceRequest): ServiceReply | Promise<ServiceReply | undefined>;
  refusal(error: ServiceError, request: Pick<ServiceRequest, 'requestId'>): ServiceReply;
}

/** How a service refuses: a type and a sentence, with HTTP 400 unless it is said otherwise. */
export class ServiceError extends Error {
  readonly type: string;
  readonly status: number;

  constructor(type: string, message: string, status = 400) {
    super(message);
    this.type = type;
    this.status = status;
  }
}

/** Anything else that is thrown is our own bug: shown, since whoever runs the lab is who would mend it. */
export function serviceError(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  // Messages of ours never hold a value.
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new ServiceError('InternalServiceError', reason, 500);
}
