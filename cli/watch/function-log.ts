import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import type { Context } from '../context.ts';
import { asking, CommandError } from '../failures.ts';
import { describeFunction, regionOf } from '../functions.ts';
import { type LogLine, parseLine } from './log-lines.ts';

/** Clocks differ, and lines arrive late. */
const LEEWAY_MS = 60_000;

/** @param unreadable told why, where the function is not described: then there is no log to read. */
export async function openLog(
  context: Context,
  functionArn: string,
  unreadable: (reason: string) => void,
): Promise<FunctionLog | undefined> {
  try {
    return new FunctionLog(context, await describeFunction(context, functionArn));
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    unreadable(error.message);
    return undefined;
  }
}

/** The lines with which steps of a version failed. */
export const failuresOf = (versionId: string) => `{ $.version_id = "${versionId}" && $.outcome = "failed" }`;
/** The lines of the step that changed the database for a version. */
export const changeOf = (versionId: string) => `{ $.version_id = "${versionId}" && $.step = "setSecret" }`;

/** A rotation function's log, read again and again: each line is given once. */
export class FunctionLog {
  readonly #context: Context;
  readonly #group: string;
  readonly #functionArn: string;
  readonly #seen = new Set<string>();
  #client: CloudWatchLogsClient | undefined;

  constructor(context: Context, { logGroup, arn }: { readonly logGroup: string; readonly arn: string }) {
    this.#context = context;
    this.#group = logGroup;
    this.#functionArn = arn;
  }

  /**
   * Lines that were not there before, oldest first; none where the function has not logged anything yet.
   * @param since by the service's clock.
   * @param filterPattern of CloudWatch Logs; default: every line.
   */
  async read(since: Date, filterPattern?: string): Promise<LogLine[]> {
    const logs = await import('@aws-sdk/client-cloudwatch-logs');
    const { aws } = this.#context;
    this.#client ??= new logs.CloudWatchLogsClient({ ...aws.settings, ...regionOf(this.#functionArn) });
    const pages = logs.paginateFilterLogEvents(
      { client: this.#client },
      {
        logGroupName: this.#group,
        startTime: since.getTime() - LEEWAY_MS,
        ...(filterPattern && { filterPattern }),
      },
    );
    const lines: LogLine[] = [];
    try {
      for await (const { events = [] } of pages) {
        for (const { eventId = '', message = '', logStreamName = '' } of events) {
          if (this.#seen.has(eventId)) continue;
          this.#seen.add(eventId);
          lines.push(parseLine(message, logStreamName));
        }
      }
    } catch (error) {
      if (error instanceof logs.ResourceNotFoundException) return [];
      await asking(`logs:FilterLogEvents of ${this.#group}`, Promise.reject(error));
    }
    return lines;
  }
}
