/**
 * IAM's evaluation of identity policies (IAM user guide, "Policy evaluation logic"): an explicit Deny wins, what is not
 * allowed is denied. An operator that it does not know is an error, so that no policy is judged by halves.
 */
import type { PolicyDocument, PolicyStatement } from './resources.ts';

export interface SimulatedCall {
  readonly action: string;
  readonly resource: string;
  /** Condition keys; their names are compared ignoring case. */
  readonly context: Readonly<Record<string, readonly string[]>>;
}

export type Decision = 'allowed' | 'explicitDeny' | 'implicitDeny';

export function evaluate(policies: readonly PolicyDocument[], call: SimulatedCall): Decision {
  const applicable = policies.flatMap(({ Statement }) => Statement).filter((statement) => applies(statement, call));
  if (applicable.some(({ Effect }) => Effect === 'Deny')) return 'explicitDeny';
  return applicable.length > 0 ? 'allowed' : 'implicitDeny';
}

function applies({ Action, Resource, Condition = {} }: PolicyStatement, call: SimulatedCall): boolean {
  return (
    [Action].flat().some((pattern) => like(pattern.toLowerCase(), call.action.toLowerCase())) &&
    [Resource].flat().some((pattern) => like(pattern, call.resource)) &&
    Object.entries(Condition).every(([operator, keys]) =>
      Object.entries(keys).every(([key, wanted]) => holds(operator, [wanted].flat(), valuesOf(call, key))),
    )
  );
}

function holds(operator: string, wanted: readonly string[], found: readonly string[]): boolean {
  const compare = COMPARISONS[operator];
  if (compare === undefined) throw new Error(`The lab's IAM does not know the condition operator ${operator}.`);
  return found.some((value) => wanted.some((pattern) => compare(pattern, value)));
}

const COMPARISONS: Readonly<Record<string, (pattern: string, value: string) => boolean>> = {
  StringEquals: (pattern, value) => pattern === value,
  StringLike: like,
  ArnEquals: like,
  ArnLike: like,
};

function valuesOf({ context }: SimulatedCall, key: string): readonly string[] {
  return Object.entries(context).find(([name]) => name.toLowerCase() === key.toLowerCase())?.[1] ?? [];
}

/** `*` is any text, `?` any one character; all else is itself. */
function like(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[\\^$.|+()[\]{}]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.');
  return new RegExp(`^${source}$`, 's').test(text);
}
