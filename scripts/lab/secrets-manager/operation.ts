/** What an operation of the service is given to work with, and what it answers. */
import type { Faults } from '../faults.ts';
import type { FunctionRegistry } from '../functions/function-registry.ts';
import type { Input } from '../http/input.ts';
import type { AccountResources } from '../resources.ts';
import type { Rotations } from './rotation.ts';
import type { SecretsState } from './state.ts';

export interface OperationCall {
  readonly region: string;
  readonly now: Date;
  readonly state: SecretsState;
  readonly rotations: Rotations;
  readonly faults: Faults;
  readonly resources: AccountResources;
  readonly functions: FunctionRegistry;
}

/** Members that are undefined are left out of the answer; dates are answered as seconds since 1970. */
export type Answer = Record<string, unknown>;

export type Operation = (input: Input, call: OperationCall) => Answer;

export type OperationTable = Readonly<Record<string, Operation>>;

/** Dates as the wire has them: a number of seconds with milliseconds as its fraction. */
export const epochSeconds = (date: Date | undefined) => (date === undefined ? undefined : date.getTime() / 1000);
