/** Schedules spread over hours, so that not all secrets rotate at once: pure. */
import { usage } from '../failures.ts';

/** The service has minutes at 0 and windows of whole hours: a schedule begins in one of the day's hours. */
const CRON_WITH_HOUR = /^cron\(0 (\d{1,2}) (.+)\)$/;

/**
 * @param index of the secret among all, counted from 0.
 * @param hours how many begin one after the other, each an hour later. 1: none is moved.
 * @throws CommandError where the schedule names no hour, or the last would begin on another day.
 */
export function spreadSchedule(expression: string, index: number, hours: number): string {
  const [, hour, days] = CRON_WITH_HOUR.exec(expression) ?? [];
  if (hour === undefined || days === undefined) {
    throw usage(
      `--spread takes a schedule with one hour, such as cron(0 1 ? * SUN *), found ${expression}.`,
      "Give --schedule 'cron(0 HOUR DAY MONTH WEEKDAY *)'.",
    );
  }
  const first = Number(hour);
  if (first + hours > 24) {
    throw usage(`--spread must end on the day on which it begins: at most ${24 - first} hours from hour ${first} on.`);
  }
  return `cron(0 ${first + (index % hours)} ${days})`;
}
