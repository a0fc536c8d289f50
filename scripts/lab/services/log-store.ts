/** CloudWatch Logs' side of the functions: their lines by log group, and what Lambda itself writes there. */
import type { LabEvent } from '../events.ts';

export interface LogEvent {
  readonly id: string;
  readonly stream: string;
  /** Milliseconds since 1970, of the lab's clock. */
  readonly timestamp: number;
  readonly message: string;
  /** When it came, on the clock of performance.now(). */
  readonly storedAt: number;
}

// So that a lab that runs for days does not grow.
const KEPT_EVENTS = 20_000;

export class LogStore {
  readonly #groups = new Map<string, LogEvent[]>();
  #count = 0;

  add(group: string, stream: string, at: Date, message: string): void {
    const events = this.#groups.get(group) ?? [];
    this.#groups.set(group, events);
    const id = String(this.#count++).padStart(56, '0');
    events.push({ id, stream, timestamp: at.getTime(), message: `${message}\n`, storedAt: performance.now() });
    if (events.length > KEPT_EVENTS) events.shift();
  }

  /** A log group exists from its first line on. */
  find(group: string): readonly LogEvent[] | undefined {
    return this.#groups.get(group);
  }

  /** @param groupOf the log group of a function's name. */
  listener(groupOf: (functionName: string) => string): (event: LabEvent) => void {
    return (event) => {
      if (event.type !== 'log-line') return;
      this.add(groupOf(event.functionName), event.logStream, event.at, event.line);
    };
  }
}
