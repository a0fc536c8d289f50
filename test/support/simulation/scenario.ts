import type { Step } from '../../../shared/rotation/event.ts';
import type { StrategyName } from '../../../shared/rotation/strategy.ts';
import type { Invariant } from './promises.ts';

/** Whether larger bounds are played: by `npm run test:soak`. */
export const isSoak = process.env.SOAK_MINUTES !== undefined;

/** What a person does to a secret, or to the role whose login it holds. */
export type Deed =
  | 'begins T2'
  | 'takes AWSPENDING off'
  | 'takes AWSPENDING off T1'
  | 'cancels the rotation'
  | 'moves AWSPENDING to T1'
  | 'moves AWSPENDING to the version that is AWSPREVIOUS'
  | 'rolls AWSCURRENT back'
  | 'edits a member of AWSCURRENT'
  | 'stores AWSCURRENT once more'
  | 'sets a password by hand'
  | 'stores the password set by hand';

/** Of which there may be several, that share a superuser secret. */
export type SecretName = 'app' | 'shop' | 'admin';

/** One of those who act beside each other: an instance of the function, a person, or both in turn. */
export interface Part {
  readonly name: string;
  /** Default: app. */
  readonly secret?: SecretName;
  /** What a person does first. */
  readonly first?: readonly Deed[];
  /** Default: T1. V1 is the version that there was before any rotation. */
  readonly token?: 'V1' | 'T1' | 'T2';
  readonly steps?: readonly Step[];
  /** Whether the next step is called though one has failed: not as the service does. */
  readonly goesOn?: boolean;
  /** Whether it is the instance that ran the steps before, and remembers them. */
  readonly remembers?: boolean;
  /** Whether its logins as AWSPENDING get no further: a way that is not the applications'. */
  readonly narrow?: boolean;
}

export interface Scenario {
  readonly name: string;
  readonly strategy: StrategyName;
  /** Steps of T1 that have been run, undisturbed; those of T0 before them where it is the second rotation. */
  readonly before?: readonly Step[];
  /** Whether T0 has been through before: then there is an AWSPREVIOUS. */
  readonly second?: boolean;
  readonly parts: readonly Part[];
  /** How many calls may go wrong in one schedule. */
  readonly faults: number;
  /** Whose those are; default: each function's. */
  readonly faultsOf?: string;
  /** Whether a read may answer what was there before the last change: one more fault. */
  readonly lags?: boolean;
  /** Promises that are known not to be kept there, and why. */
  readonly exempt?: { readonly from: readonly Invariant[]; readonly because: string };
  /** Whether setSecret moves AWSCURRENT itself (PROMOTE=early). */
  readonly promoteEarly?: boolean;
  /** Whether the secret `shop` and the rotation of `admin` are there. */
  readonly shared?: boolean;
}
