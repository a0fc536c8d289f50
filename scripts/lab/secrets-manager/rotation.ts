/** Rotation as the service runs it: asynchronously, four calls of the function, again from the start when one fails. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { RotationRules } from '../../../shared/schedule/schedule.ts';
import { type FunctionError, type LabEvents, STEPS } from '../events.ts';
import { ServiceError } from '../http/service.ts';
import { invalidRequest, tokenInUse } from './errors.ts';
import { attach, CURRENT, PENDING, type Version, versionAt, versionById } from './labels.ts';
import { asFunctionError, LABEL_TAKEN, notFinished, reasonToAbandon } from './rotation-ends.ts';
import { type RotationFunctions, type Run, runSteps, type ToldRun, tell } from './rotation-run.ts';
import type { RotationScheduler } from './rotation-scheduler.ts';
import { type ExternalRotation, refuseBeyondQuota, type Secret, type SecretContent } from './secret.ts';

export interface RotationRequest {
  token: string;
  functionArn: string | undefined;
  rules: RotationRules | undefined;
  immediately: boolean;
  external: ExternalRotation | undefined;
}

export interface RotationSettings {
  /** How often a failed rotation is tried again, with the same token. The service's own number is not published. */
  retries: number;
  /** Real milliseconds before such a retry. */
  retryDelayMs: number;
}

export interface RotationParts {
  now: () => Date;
  functions: RotationFunctions;
  events: LabEvents;
  scheduler: RotationScheduler;
  settings: RotationSettings;
}

export class Rotations {
  readonly #runs = new Map<SecretContent, Run>();
  readonly #parts: RotationParts;

  constructor(parts: RotationParts) {
    this.#parts = parts;
    parts.scheduler.onDue((secret) => this.#rotateOnSchedule(secret));
  }

  /** RotateSecret. Answers at once; what follows is told through the events. */
  rotate(secret: Secret, request: RotationRequest): void {
    const { content } = secret;
    const functionArn = this.#invocable(request.functionArn ?? content.rotation?.functionArn);
    const current = versionAt(content.versions, CURRENT);
    const pending = versionAt(content.versions, PENDING);
    if (pending && pending !== current && pending.id !== request.token) {
      this.#reattempt(secret, pending);
      throw invalidRequest("A previous rotation isn't complete. That rotation will be reattempted.");
    }
    const existing = versionById(content.versions, request.token);
    if (existing && existing === current) return;
    if (existing && existing !== pending) throw tokenInUse(request.token, secret.arn);
    if (!existing) refuseBeyondQuota(content.versions, this.#parts.now());
    this.#configure(secret, functionArn, request);
    if (request.immediately) this.#startRotation(secret, request.token);
    else this.#startTest(secret, request.token, current);
  }

  /** CancelRotateSecret: no further step or retry, no schedule. AWSPENDING stays where it is. */
  cancel(secret: Secret): Version | undefined {
    const { rotation, versions } = secret.content;
    this.#runs.get(secret.content)?.abort.abort();
    this.#parts.scheduler.stop(secret);
    if (rotation) secret.content.rotation = { ...rotation, enabled: false, window: undefined };
    const pending = versionAt(versions, PENDING);
    return pending === versionAt(versions, CURRENT) ? undefined : pending;
  }

  /** The value changed by hand, which counts as a rotation for a schedule in days. */
  valueChanged(secret: Secret): void {
    if (!this.#runs.has(secret.content)) this.#parts.scheduler.plan(secret);
  }

  /** AWSPENDING was taken off a version by hand. A rotation that is under way finds it out, and tells it itself. */
  pendingTaken(secret: Secret, versionId: string): void {
    if (!secret.content.rotation?.enabled || this.#runs.has(secret.content)) return;
    const given = { secret, versionId, kind: 'rotation', attempt: 1 } as const;
    tell(this.#parts.events, given, { type: 'rotation-abandoned', reason: LABEL_TAKEN });
  }

  /** The secret is being deleted. */
  stop(secret: Secret): void {
    this.#runs.get(secret.content)?.abort.abort();
    this.#parts.scheduler.stop(secret);
  }

  /** The secret was restored. */
  resume(secret: Secret): void {
    this.#parts.scheduler.plan(secret);
  }

  /** Resolves once no rotation of the secret runs, retries included. */
  async settled(secret: Secret): Promise<void> {
    await this.#runs.get(secret.content)?.ended;
  }

  /** Stops every rotation before its next step. */
  abortAll(): void {
    for (const run of this.#runs.values()) run.abort.abort();
    this.#parts.scheduler.close();
  }

  async allEnded(): Promise<void> {
    await Promise.all([...this.#runs.values()].map((run) => run.ended));
  }

  #invocable(functionArn: string | undefined): string {
    if (!functionArn) throw invalidRequest('No Lambda rotation function ARN is associated with this secret.');
    if (!this.#parts.functions.mayBeInvoked(functionArn)) {
      throw new ServiceError(
        'AccessDeniedException',
        'Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com.',
      );
    }
    return functionArn;
  }

  #configure(secret: Secret, functionArn: string, { rules, immediately, external }: RotationRequest): void {
    const { rotation } = secret.content;
    // Cancelled rotations have no window.
    const stillDue = immediately ? undefined : rotation?.window;
    const now = this.#parts.now();
    secret.content.rotation = {
      enabled: true,
      functionArn,
      rules: rules ?? rotation?.rules,
      external: external ?? rotation?.external,
      configuredAt: rules || !rotation ? now : rotation.configuredAt,
      window: undefined,
    };
    secret.content.lastChanged = now;
    this.#parts.scheduler.plan(secret, stillDue);
  }

  #rotateOnSchedule(secret: Secret): void {
    try {
      this.#rotateIfFree(secret);
    } catch (error) {
      // Nobody asked: what RotateSecret would answer, such as that there are too many labels, is the rotation's failure.
      const failed = { secret, versionId: randomUUID(), kind: 'rotation', attempt: 1 } as const;
      this.#tellFailure(failed, asFunctionError(error), false);
      this.#parts.scheduler.planAfterFailure(secret);
    }
  }

  #rotateIfFree(secret: Secret): void {
    const { versions, rotation } = secret.content;
    const running = this.#runs.get(secret.content);
    if (running !== undefined || !rotation?.enabled) {
      // A rotation that is under way plans the next one when it ends; a test does not.
      if (running?.kind === 'test') void running.ended.then(() => this.#rotateOnSchedule(secret));
      return;
    }
    const pending = versionAt(versions, PENDING);
    if (pending && pending !== versionAt(versions, CURRENT)) this.#reattempt(secret, pending);
    else this.#startRotation(secret, randomUUID());
  }

  #reattempt(secret: Secret, pending: Version): void {
    if (secret.content.rotation?.enabled) this.#startRotation(secret, pending.id);
  }

  #startRotation(secret: Secret, versionId: string): void {
    if (this.#runs.has(secret.content)) return;
    const { content } = secret;
    if (!versionById(content.versions, versionId)) this.#register(content, versionId, undefined);
    this.#start(secret, versionId, 'rotation', (run) => this.#untilSuccess(run));
  }

  #startTest(secret: Secret, versionId: string, current: Version | undefined): void {
    if (this.#runs.has(secret.content)) return;
    const { content } = secret;
    const temporary = this.#register(content, versionId, current?.value);
    this.#start(secret, versionId, 'test', async (run) => {
      const failure = await runSteps(run, ['testSecret'], this.#parts);
      content.versions = content.versions.filter((version) => version !== temporary);
      if (failure) this.#tellFailure(run, failure, false);
      else tell(this.#parts.events, run, { type: 'rotation-succeeded' });
    });
  }

  #register(content: SecretContent, id: string, value: Version['value']): Version {
    refuseBeyondQuota(content.versions, this.#parts.now());
    const version: Version = { id, value, stages: new Set(), createdAt: this.#parts.now() };
    content.versions = [...content.versions, version];
    attach(content.versions, version, [PENDING]);
    return version;
  }

  #start(secret: Secret, versionId: string, kind: Run['kind'], body: (run: Run) => Promise<void>): void {
    const abort = new AbortController();
    const run: Run = { secret, versionId, kind, abort, attempt: 1, ended: Promise.resolve() };
    this.#runs.set(secret.content, run);
    // A turn of the event loop later, so that RotateSecret has answered.
    run.ended = delay(0)
      .then(() => body(run))
      // Nobody waits for it: a bug of ours is told as the rotation's failure, and the lab goes on.
      .catch((error: unknown) => this.#tellFailure(run, asFunctionError(error), false))
      .finally(() => this.#runs.delete(secret.content));
  }

  async #untilSuccess(run: Run): Promise<void> {
    const { settings, scheduler, events } = this.#parts;
    const attempts = settings.retries + 1;
    for (; ; run.attempt++) {
      const reason = reasonToAbandon(run);
      if (reason) {
        tell(events, run, { type: 'rotation-abandoned', reason });
        return;
      }
      if (run.attempt > attempts) break;
      const failure = (await runSteps(run, STEPS, this.#parts)) ?? notFinished(run);
      if (!failure) {
        this.#complete(run.secret);
        tell(events, run, { type: 'rotation-succeeded' });
        return;
      }
      const ended = run.attempt === attempts || reasonToAbandon(run) !== undefined;
      this.#tellFailure(run, failure, !ended);
      if (!ended) await pause(settings.retryDelayMs, run.abort.signal);
    }
    scheduler.planAfterFailure(run.secret);
  }

  #tellFailure(run: ToldRun, error: FunctionError, willRetry: boolean): void {
    tell(this.#parts.events, run, { type: 'rotation-failed', willRetry, error });
  }

  #complete(secret: Secret): void {
    const { content } = secret;
    versionAt(content.versions, CURRENT)?.stages.delete(PENDING);
    const now = this.#parts.now();
    content.lastRotated = now;
    content.lastChanged = now;
    content.valueChangedAt = now;
    this.#parts.scheduler.plan(secret);
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
