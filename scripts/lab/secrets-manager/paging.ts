import type { Input } from '../http/input.ts';
import { ServiceError } from '../http/service.ts';

export interface Page<T> {
  items: T[];
  NextToken: string | undefined;
}

/**
 * One page of `all`, as MaxResults and NextToken of the request ask. A token is good for the operation that gave it.
 * @param most on a page, however many are asked for: the service may answer fewer even when there are more.
 */
export function page<T>(input: Input, operation: string, all: readonly T[], max: number, most = max): Page<T> {
  const size = Math.min(input.integer('MaxResults', { min: 1, max }) ?? max, most);
  const token = input.text('NextToken', { min: 1, max: 4096 });
  const start = token === undefined ? 0 : readToken(token, operation);
  const end = start + size;
  return { items: all.slice(start, end), NextToken: end < all.length ? writeToken(operation, end) : undefined };
}

const writeToken = (operation: string, start: number) => Buffer.from(`${operation} ${start}`).toString('base64');

function readToken(token: string, operation: string): number {
  const [name, start] = Buffer.from(token, 'base64').toString().split(' ');
  if (name !== operation || !start || !/^\d+$/.test(start)) {
    throw new ServiceError('InvalidNextTokenException', 'The NextToken value is invalid.');
  }
  return Number(start);
}
