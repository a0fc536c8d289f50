/** One pass through the steps of a rotation: calls the function, tells what came of it. */
import { randomUUID } from 'node:crypto';
import type { FunctionError, LabEvents, NewLabEvent, Step } from '../events.ts';
import type { InvocationResult } from '../functions/protocol.ts';
import type { Secret } from './secret.ts';

/** What rotation needs of Lambda. */
export interface RotationFunctions {
  mayBeInvoked(arn: string): boolean;
  /** Never rejects. */
  invoke(arn: string, event: unknown): Promise<InvocationResult>;
}

export interface Run {
  readonly secret: Secret;
  readonly versionId: string;
  /** `test` is RotateImmediately=false. */
  readonly kind: 'rotation' | 'test';
  readonly abort: AbortController;
  /** 1 for the first try. */
  attempt: number;
  ended: Promise<void>;
}

/** What is told of a run. */
export type ToldRun = Pick<Run, 'secret' | 'versionId' | 'kind' | 'attempt'>;

interface Surroundings {
  functions: RotationFunctions;
  events: LabEvents;
}

const CANCELLED: FunctionError = { errorType: 'Cancelled', errorMessage: 'The rotation was cancelled.' };

/** @returns why the first step that failed did, or undefined when all succeeded. */
export async function runSteps(
  run: Run,
  steps: readonly Step[],
  { functions, events }: Surroundings,
): Promise<FunctionError | undefined> {
  tell(events, run, { type: 'rotation-started' });
  const rotationToken = randomUUID();
  for (const step of steps) {
    if (run.abort.signal.aborted) return CANCELLED;
    tell(events, run, { type: 'step-started', step });
    const startedAt = performance.now();
    const result = await functions.invoke(run.secret.content.rotation?.functionArn ?? '', {
      Step: step,
      SecretId: run.secret.arn,
      ClientRequestToken: run.versionId,
      RotationToken: rotationToken,
    });
    const ms = performance.now() - startedAt;
    if (!result.ok) {
      const error = { errorType: result.errorType, errorMessage: result.errorMessage };
      tell(events, run, { type: 'step-ended', step, ms, outcome: 'failed', error });
      return error;
    }
    tell(events, run, { type: 'step-ended', step, ms, outcome: 'succeeded' });
  }
  return undefined;
}

type WithoutRotation<T> = T extends { secretArn: string }
  ? Omit<T, 'secretArn' | 'secretName' | 'versionId' | 'kind' | 'attempt'>
  : never;

export function tell(events: LabEvents, run: ToldRun, what: WithoutRotation<NewLabEvent>): void {
  const { secret, versionId, kind, attempt } = run;
  events.emit({ ...what, secretArn: secret.arn, secretName: secret.content.name, versionId, kind, attempt });
}
