/** Wakes up when a secret's rotation window opens. */
import { nextWindow, parseSchedule, type RotationWindow } from '../../../shared/schedule/schedule.ts';
import type { Alarm, Clock } from '../clock.ts';
import type { Secret, SecretContent } from './secret.ts';

export class RotationScheduler {
  readonly #alarms = new Map<SecretContent, Alarm>();
  readonly #clock: Clock;
  #due: (secret: Secret) => void = () => undefined;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  onDue(listener: (secret: Secret) => void): void {
    this.#due = listener;
  }

  /**
   * Works out the secret's next window and waits for it.
   * @param stillDue the window that was planned when the rules changed without a rotation. Rules in days and rate() do
   *   not call it off, cron() does: "the previously scheduled rotation might still occur" (API reference, RotateSecret).
   */
  plan(secret: Secret, stillDue?: RotationWindow): void {
    const window = this.#earlier(secret, stillDue) ?? this.#next(secret);
    if (secret.content.rotation) secret.content.rotation.window = window;
    this.#wait(secret, window);
  }

  /** The window that was missed stays on record, as in the service; the next one is another chance. */
  planAfterFailure(secret: Secret): void {
    this.#wait(secret, this.#next(secret));
  }

  stop(secret: Secret): void {
    this.#alarms.get(secret.content)?.cancel();
    this.#alarms.delete(secret.content);
  }

  close(): void {
    this.#closed = true;
    for (const alarm of this.#alarms.values()) alarm.cancel();
    this.#alarms.clear();
  }

  #earlier(secret: Secret, planned: RotationWindow | undefined): RotationWindow | undefined {
    const next = this.#next(secret);
    if (!planned || !next || planned.start <= this.#clock.now() || planned.start >= next.start) return undefined;
    return parseSchedule(secret.content.rotation?.rules ?? {})?.kind === 'cron' ? undefined : planned;
  }

  #next({ content }: Secret): RotationWindow | undefined {
    const { rotation } = content;
    if (!rotation?.enabled || content.deletionDate) return undefined;
    const schedule = parseSchedule(rotation.rules ?? {});
    if (!schedule) return undefined;
    const changed = schedule.kind === 'days' && content.valueChangedAt > rotation.configuredAt;
    const anchor = changed ? content.valueChangedAt : rotation.configuredAt;
    return nextWindow(schedule, { after: this.#clock.now(), anchor });
  }

  #wait(secret: Secret, window: RotationWindow | undefined): void {
    this.stop(secret);
    if (!window || this.#closed) return;
    this.#alarms.set(
      secret.content,
      this.#clock.callAt(window.start, () => {
        this.#alarms.delete(secret.content);
        this.#due(secret);
      }),
    );
  }
}
