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

  /** Works out the secret's next window and waits for it. */
  plan(secret: Secret): void {
    const window = this.#next(secret);
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
