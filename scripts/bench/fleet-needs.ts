/** What a fleet needs and costs a month, calculated from measured figures and list prices; pure. */

/** AWS's list prices for us-east-1 in US dollars, and the other inputs. Each can be replaced: --price NAME=VALUE. */
export const DEFAULT_INPUTS = {
  /** Of one secret a month, rotated or not. */
  secret: 0.4,
  apiCallsTenThousand: 0.05,
  /** arm64. */
  lambdaGbSecond: 0.0000133334,
  lambdaRequestsMillion: 0.2,
  logsGb: 0.5,
  rotationsMonth: 1,
  memoryMb: 256,
  logBytesRotation: 4_000,
} as const;

export type Inputs = Readonly<Record<keyof typeof DEFAULT_INPUTS, number>>;

/** Of one rotation. */
export interface Measured {
  readonly apiCalls: number;
  /** Of its four invocations together, ms. */
  readonly wallMs: number;
  readonly cpuMs: number;
}

export interface FleetNeeds {
  readonly secrets: number;
  /** Of all rotations, if each second used the whole quota of writes. */
  readonly minutesAtQuota: number;
  /** To use a fifth of it, and leave the rest to everyone else in the account and to retries. */
  readonly hoursAtFifth: number;
  /** Invocations at one time, at the quota's ceiling. */
  readonly concurrency: number;
  readonly dollarsMonth: {
    readonly secrets: number;
    readonly api: number;
    readonly lambda: number;
    readonly logs: number;
    /** All but the secrets themselves. */
    readonly rotation: number;
  };
}

/** Put, Update and UpdateSecretVersionStage: 50 a second together; a rotation has two of them. */
const ROTATIONS_PER_SECOND = 25;
const INVOCATIONS = 4;
/** Memory at which Lambda gives one whole CPU (AWS Lambda developer guide). */
const MB_PER_CPU = 1_769;

/** @throws Error for an input that is not one. */
export function inputsWith(replaced: Readonly<Record<string, number>>): Inputs {
  const unknown = Object.keys(replaced).find((name) => !Object.hasOwn(DEFAULT_INPUTS, name));
  if (unknown !== undefined) {
    throw new Error(`--price needs one of ${Object.keys(DEFAULT_INPUTS).join(', ')}, found "${unknown}".`);
  }
  return { ...DEFAULT_INPUTS, ...replaced };
}

export function fleetNeeds(secrets: number, measured: Measured, inputs: Inputs): FleetNeeds {
  const rotations = secrets * inputs.rotationsMonth;
  const seconds = billedSeconds(measured, inputs);
  const api = ((rotations * measured.apiCalls) / 10_000) * inputs.apiCallsTenThousand;
  const lambda =
    rotations * seconds * (inputs.memoryMb / 1024) * inputs.lambdaGbSecond +
    ((rotations * INVOCATIONS) / 1e6) * inputs.lambdaRequestsMillion;
  const logs = ((rotations * inputs.logBytesRotation) / 1e9) * inputs.logsGb;
  return {
    secrets,
    minutesAtQuota: secrets / ROTATIONS_PER_SECOND / 60,
    hoursAtFifth: (secrets / ROTATIONS_PER_SECOND / 3600) * 5,
    concurrency: Math.ceil(ROTATIONS_PER_SECOND * seconds),
    dollarsMonth: { secrets: secrets * inputs.secret, api, lambda, logs, rotation: api + lambda + logs },
  };
}

/** A function's share of a CPU grows with its memory, so that little memory makes the CPU's part longer. */
function billedSeconds({ wallMs, cpuMs }: Measured, { memoryMb }: Inputs): number {
  const waiting = Math.max(0, wallMs - cpuMs);
  return (waiting + cpuMs * Math.max(1, MB_PER_CPU / memoryMb)) / 1000;
}
