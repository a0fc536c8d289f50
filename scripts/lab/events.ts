/** What the lab tells whoever watches it. No event carries a secret's value or a RotationToken. */
export const STEPS = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const;
export type Step = (typeof STEPS)[number];

interface OfRotation {
  secretArn: string;
  secretName: string;
  versionId: string;
  /** `test` is the testSecret-only run of RotateImmediately=false. */
  kind: 'rotation' | 'test';
  /** 1 for the first try, 2 for its first retry. */
  attempt: number;
}

export interface FunctionError {
  errorType: string;
  errorMessage: string;
}

export interface FunctionLogLine {
  requestId: string | undefined;
  /** `platform` is what Lambda itself writes into a function's log, such as that it timed out. */
  stream: 'stdout' | 'stderr' | 'platform';
  /** One for each instance of the function. */
  logStream: string;
  line: string;
}

export type LabEvent = { at: Date } & (
  | ({ type: 'rotation-started' } & OfRotation)
  | ({ type: 'step-started'; step: Step } & OfRotation)
  | ({
      type: 'step-ended';
      step: Step;
      ms: number;
      outcome: 'succeeded' | 'failed';
      error?: FunctionError;
    } & OfRotation)
  | ({ type: 'rotation-succeeded' } & OfRotation)
  | ({ type: 'rotation-failed'; willRetry: boolean; error: FunctionError } & OfRotation)
  | ({ type: 'rotation-abandoned'; reason: string } & OfRotation)
  | ({ type: 'log-line'; functionName: string } & FunctionLogLine)
);

/** Under which CloudTrail records what happened (user guide, "CloudTrail entries for Secrets Manager"); steps are not recorded. */
export type TrailEvent = `${'' | 'Test'}Rotation${'Started' | 'Succeeded' | 'Failed'}` | 'RotationAbandoned';

export function trailEvent(event: LabEvent): TrailEvent | undefined {
  switch (event.type) {
    case 'rotation-started':
      return event.kind === 'test' ? 'TestRotationStarted' : 'RotationStarted';
    case 'rotation-succeeded':
      return event.kind === 'test' ? 'TestRotationSucceeded' : 'RotationSucceeded';
    case 'rotation-failed':
      return event.kind === 'test' ? 'TestRotationFailed' : 'RotationFailed';
    case 'rotation-abandoned':
      return 'RotationAbandoned';
    default:
      return undefined;
  }
}

type WithoutTime<T> = T extends unknown ? Omit<T, 'at'> : never;
export type NewLabEvent = WithoutTime<LabEvent>;
export type LabEventListener = (event: LabEvent) => void;

export class LabEvents {
  readonly #listeners = new Set<LabEventListener>();
  readonly #now: () => Date;

  constructor(now: () => Date) {
    this.#now = now;
  }

  /** @returns a function that ends the subscription. */
  on(listener: LabEventListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(event: NewLabEvent): void {
    for (const listener of this.#listeners) listener({ ...event, at: this.#now() });
  }
}
