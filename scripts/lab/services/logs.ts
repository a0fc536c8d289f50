/** CloudWatch Logs, as far as FilterLogEvents. */
import { ServiceError } from '../http/service.ts';
import { type JsonOperation, jsonService } from './json-service.ts';
import type { LogEvent } from './log-store.ts';

/** Smaller than the service's (10,000), so that who forgets to page is found out. */
const PAGE = 50;

const filterLogEvents: JsonOperation = (input, { logs, resources }) => {
  const group = input.text('logGroupName', { min: 1, max: 512, pattern: /^[.\-_/#A-Za-z0-9]+$/ });
  if (group === undefined) throw invalid('logGroupName or logGroupIdentifier is required.');
  const from = input.integer('startTime', { min: 0 }) ?? 0;
  const to = input.integer('endTime', { min: 0 }) ?? Number.POSITIVE_INFINITY;
  const limit = input.integer('limit', { min: 1, max: 10_000 }) ?? 10_000;
  const streams = input.texts('logStreamNames', { min: 1, max: 512, items: { min: 1, max: 100 } });
  const passes = compile(input.text('filterPattern', { max: 1024 }) ?? '');
  const token = input.text('nextToken', { min: 1 });
  if (to <= from) throw invalid('startTime must be before endTime.');

  const events = logs.find(group);
  if (events === undefined) {
    throw new ServiceError('ResourceNotFoundException', 'The specified log group does not exist.');
  }
  const found = events.filter(
    ({ stream, timestamp, message, storedAt }) =>
      performance.now() - storedAt >= resources.logDelayMs &&
      timestamp >= from &&
      timestamp < to &&
      (streams?.includes(stream) ?? true) &&
      passes(message),
  );
  const start = token === undefined ? 0 : readToken(token);
  const page = found.slice(start, start + Math.min(limit, PAGE));
  const end = start + page.length;
  return {
    events: page.map(show),
    searchedLogStreams: [],
    ...(end < found.length ? { nextToken: Buffer.from(String(end)).toString('base64') } : {}),
  };
};

const show = ({ id, stream, timestamp, message }: LogEvent) => ({
  eventId: id,
  logStreamName: stream,
  timestamp,
  message,
  ingestionTime: timestamp,
});

function readToken(token: string): number {
  const index = Number(Buffer.from(token, 'base64').toString());
  if (!Number.isInteger(index)) throw invalid('The specified nextToken is invalid.');
  return index;
}

type Test = (found: unknown) => boolean;

/**
 * `{ $.a = "x" && $.b != y && $.c = * }` on lines that are JSON: quotes are optional around a word, an asterisk in a value
 * is any text (CloudWatch Logs user guide, "Filter pattern syntax"). Any other pattern is refused rather than half understood.
 */
function compile(pattern: string): (message: string) => boolean {
  if (pattern === '') return () => true;
  const body = /^\s*\{(.*)\}\s*$/.exec(pattern)?.[1];
  const terms = body?.split('&&').map((term) => TERM.exec(term)?.groups);
  if (!terms?.every((term) => term !== undefined)) throw invalid(`Invalid filter pattern: ${pattern}`);
  const wanted = terms.map(({ key = '', operator, quoted, word = '' }): [string, Test] => {
    const equal = textTest(quoted ?? word);
    return [key, operator === '=' ? equal : (found) => found !== undefined && !equal(found)];
  });
  return (message) => {
    const members = parse(message);
    return members !== undefined && wanted.every(([key, passes]) => passes(Reflect.get(members, key)));
  };
}

const TERM = /^\s*\(?\s*\$\.(?<key>\w+)\s*(?<operator>!?=)\s*(?:"(?<quoted>[^"\\]*)"|(?<word>[\w*.-]+))\s*\)?\s*$/;

/** Texts and numbers; a member that is not there is equal to nothing. */
function textTest(wanted: string): Test {
  const parts = wanted.split('*').map((part) => part.replace(/[\\^$.|+()[\]{}?]/g, '\\$&'));
  const expression = new RegExp(`^${parts.join('.*')}$`, 's');
  return (found) => (typeof found === 'string' || typeof found === 'number') && expression.test(String(found));
}

function parse(message: string): object | undefined {
  try {
    const value: unknown = JSON.parse(message);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

const invalid = (message: string) => new ServiceError('InvalidParameterException', message);

export const logs = jsonService('logs', 'Logs_20140328', { FilterLogEvents: filterLogEvents });
