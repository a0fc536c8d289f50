/**
 * A strict evaluator of IAM's identity policies (IAM user guide, "Policy evaluation logic"): an explicit Deny wins,
 * anything not allowed is denied. Elements and operators that it does not know are errors, so that no policy is
 * judged by halves.
 */

/** A policy's document; its statements are read and checked here. */
export interface EvaluatedPolicy {
  readonly Statement: unknown;
}

/** One API call as IAM sees it. */
export interface IamRequest {
  /** Service prefix and operation, as in "secretsmanager:GetSecretValue". */
  readonly action: string;
  /** ARN of what it acts on; "*" where the operation knows no resources. */
  readonly resource: string;
  /** Condition keys of the request; their names are compared ignoring case. */
  readonly context?: Readonly<Record<string, string | readonly string[]>>;
}

/** As SimulatePrincipalPolicy words it. */
export type Decision = 'allowed' | 'explicitDeny' | 'implicitDeny';

interface Statement {
  readonly effect: 'Allow' | 'Deny';
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions: readonly Condition[];
}

interface Condition {
  readonly operator: string;
  readonly key: string;
  readonly values: readonly string[];
}

/** What these policies decide, where no boundary and no resource policy says otherwise. */
export function evaluate(policies: readonly EvaluatedPolicy[], call: IamRequest): Decision {
  const applicable = policies.flatMap(statementsOf).filter((statement) => applies(statement, call));
  if (applicable.some(({ effect }) => effect === 'Deny')) return 'explicitDeny';
  return applicable.length > 0 ? 'allowed' : 'implicitDeny';
}

function statementsOf({ Statement }: EvaluatedPolicy): Statement[] {
  return [Statement].flat().map((each) => parse(members(each)));
}

function members(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(`An object was expected in a policy, found ${JSON.stringify(value)}.`);
  }
  return { ...value };
}

function parse(statement: Readonly<Record<string, unknown>>): Statement {
  const { Sid, Effect, Action, Resource, Condition = {}, ...others } = statement;
  const unknown = Object.keys(others);
  if (unknown.length > 0) throw new Error(`Statement ${String(Sid)} has ${unknown.join(', ')}, not known here.`);
  if (Effect !== 'Allow' && Effect !== 'Deny') throw new Error(`Statement ${String(Sid)} has no effect.`);
  const conditions = conditionsOf(Condition);
  return { effect: Effect, actions: texts(Action), resources: texts(Resource), conditions };
}

function conditionsOf(condition: unknown): Condition[] {
  return Object.entries(members(condition)).flatMap(([operator, keys]) =>
    Object.entries(members(keys)).map(([key, values]) => ({ operator, key, values: texts(values) })),
  );
}

/**
 * Whether every condition of a statement holds.
 * @throws Error where one has an operator that is not known here, whether or not another one fails.
 */
export function conditionHolds(condition: unknown, context: NonNullable<IamRequest['context']>): boolean {
  return conditionsOf(condition)
    .map((each) => holds(each, context))
    .every((held) => held);
}

function texts(value: unknown): readonly string[] {
  const list: readonly unknown[] = [value].flat();
  if (list.length === 0) throw new Error('A list in a policy was expected to have a member.');
  return list.map((each) => {
    // IAM would refuse an empty text; a policy variable would need the request to be evaluated.
    if (typeof each !== 'string' || each === '' || each.includes('${')) {
      throw new Error(`A plain text was expected in a policy, found ${JSON.stringify(each)}.`);
    }
    return each;
  });
}

function applies(
  { actions, resources, conditions }: Statement,
  { action, resource, context = {} }: IamRequest,
): boolean {
  return (
    actions.some((pattern) => matches(pattern.toLowerCase(), action.toLowerCase())) &&
    resources.some((pattern) => matches(pattern, resource)) &&
    conditions.every((condition) => holds(condition, context))
  );
}

function holds({ operator, key, values }: Condition, context: NonNullable<IamRequest['context']>): boolean {
  const entry = Object.entries(context).find(([name]) => name.toLowerCase() === key.toLowerCase());
  const found = entry === undefined ? [] : [entry[1]].flat();
  const forAny = operator.startsWith('ForAnyValue:');
  const compare = comparison(forAny ? operator.slice('ForAnyValue:'.length) : operator);
  if (!forAny && found.length > 1) throw new Error(`${key} has several values, which ${operator} can't compare.`);
  return found.some((each) => values.some((value) => compare(value, each)));
}

function comparison(operator: string): (pattern: string, found: string) => boolean {
  switch (operator) {
    case 'StringEquals':
      return (value, found) => value === found;
    case 'StringLike':
      return matches;
    case 'ArnEquals':
    case 'ArnLike':
      return arnMatches;
    default:
      throw new Error(`The condition operator ${operator} is not known here.`);
  }
}

/** Each of the six parts of an ARN by itself, so that an asterisk does not reach over a colon of the first five. */
function arnMatches(pattern: string, found: string): boolean {
  const [patterns, parts] = [pattern, found].map((arn) => /^([^:]*):([^:]*):([^:]*):([^:]*):([^:]*):(.*)$/.exec(arn));
  if (!patterns || !parts) return false;
  return patterns.slice(1).every((each, index) => matches(each, parts[index + 1] ?? ''));
}

/** `*` is any text, `?` any one character; all else is itself. */
function matches(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[\\^$.|+()[\]{}]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.');
  return new RegExp(`^${source}$`, 's').test(text);
}
