/** The SDK's client against the lab, and the raw wire for what an SDK would never send. */
import { randomUUID } from 'node:crypto';
import { SecretsManagerClient, SecretsManagerServiceException } from '@aws-sdk/client-secrets-manager';
import { expect } from 'vitest';

export function clientOf(lab: { endpoint: string }, region = 'us-east-1', maxAttempts = 1): SecretsManagerClient {
  return new SecretsManagerClient({
    endpoint: lab.endpoint,
    region,
    maxAttempts,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
}

/**
 * A client for which every page of ListSecretVersionIds ends with this NextToken, as no page of the lab's does. The lab
 * itself is never asked with it.
 */
export function clientWithNextToken(lab: { endpoint: string }, NextToken: string) {
  const client = clientOf(lab);
  const seen = { client, pages: 0, [Symbol.dispose]: () => client.destroy() };
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        if (commandName !== 'ListSecretVersionIdsCommand') return await next(args);
        if (++seen.pages > 9) throw new Error('The list should have ended, and went on.');
        const answer = await next({ ...args, input: { ...args.input, NextToken: undefined } });
        return { ...answer, output: { ...answer.output, NextToken } };
      },
    { step: 'initialize' },
  );
  return seen;
}

let names = 0;

export const freshName = (prefix = 'secret') => `${prefix}-${++names}`;

/** The service's refusal: its type and message. */
export async function refusal(answer: Promise<unknown>): Promise<{ name: string; message: string }> {
  const error = await answer.then(
    () => expect.unreachable('The service was expected to refuse.'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof SecretsManagerServiceException)) throw error;
  expect(error.$metadata.httpStatusCode).toBe(400);
  return { name: error.name, message: error.message };
}

const SIGNATURE = '0'.repeat(64);

export function authorization(region = 'us-east-1', service = 'secretsmanager'): string {
  return `AWS4-HMAC-SHA256 Credential=test/20260101/${region}/${service}/aws4_request, SignedHeaders=host;x-amz-date, Signature=${SIGNATURE}`;
}

export interface RawAnswer {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

/** @param headers replace the usual ones; undefined leaves one out. */
export async function sendRaw(
  lab: { endpoint: string },
  operation: string,
  body: unknown,
  headers: Record<string, string | undefined> = {},
): Promise<RawAnswer> {
  const all = {
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-target': `secretsmanager.${operation}`,
    authorization: authorization(),
    ...headers,
  };
  const response = await fetch(lab.endpoint, {
    method: 'POST',
    headers: Object.entries(all).flatMap(([name, value]): [string, string][] =>
      value === undefined ? [] : [[name, value]],
    ),
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) };
}

export const newToken = () => randomUUID();

/** Polls until `probe` answers something, within a generous bound. */
export async function eventually<T>(
  probe: () => T | undefined | Promise<T | undefined>,
  withinMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`Nothing was found within ${withinMs} ms.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
