/**
 * A strict evaluator of IAM identity policies (IAM user guide, "Policy evaluation logic"): an explicit Deny wins,
 * anything not allowed is denied. Elements and operators that it does not know are errors, so that no policy is
 * judged by halves.
 */
import { asList, asObject, type Json, type JsonObject, type Stack } from './cloudformation.ts';

export interface PolicyDocument {
  readonly Version: string;
  readonly Statement: Json;
}

/** One API call as IAM sees it. */
export interface Call {
  /** Service prefix and operation, as in "secretsmanager:GetSecretValue". */
  readonly action: string;
  /** ARN of what it acts on; "*" where the operation knows no resources. */
  readonly resource: string;
  /** Condition keys of the request; their names are compared ignoring case. */
  readonly context?: Readonly<Record<string, string | readonly string[]>>;
}

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

/** Whether a role with these policies (and no boundary or resource policy that says otherwise) may make the call. */
export function isAllowed(documents: readonly PolicyDocument[], call: Call): boolean {
  const applicable = documents.flatMap(statementsOf).filter((statement) => applies(statement, call));
  return applicable.length > 0 && applicable.every(({ effect }) => effect === 'Allow');
}

/** The policies of a role of a stack: those written into it and those attached to it. */
export function policiesOfRole(stack: Stack, roleId: string): PolicyDocument[] {
  const { properties } = stack.resource(roleId);
  if (properties.ManagedPolicyArns !== undefined) throw new Error(`${roleId} has managed policies, unknown here.`);
  const inline = asList(properties.Policies).map((policy) => asObject(policy).PolicyDocument);
  const attached = stack
    .resources('AWS::IAM::Policy')
    .map((id) => stack.resource(id).properties)
    .filter((policy) => asList(policy.Roles).includes(stack.ref(roleId)))
    .map((policy) => policy.PolicyDocument);
  return [...inline, ...attached].map(policyDocument);
}

export function policyDocument(document: Json | undefined): PolicyDocument {
  const { Version, Statement, ...others } = asObject(document);
  if (Version !== '2012-10-17' || Statement === undefined || Object.keys(others).length > 0) {
    throw new Error('A policy document was expected to have the version 2012-10-17, statements and nothing else.');
  }
  return { Version, Statement };
}

function statementsOf({ Statement }: PolicyDocument): Statement[] {
  return (Array.isArray(Statement) ? asList(Statement) : [Statement]).map((each) => parse(asObject(each)));
}

function parse(statement: JsonObject): Statement {
  const { Sid, Effect, Action, Resource, Condition = {}, ...others } = statement;
  const unknown = Object.keys(others);
  if (unknown.length > 0) throw new Error(`Statement ${String(Sid)} has ${unknown.join(', ')}, not known here.`);
  if (Effect !== 'Allow' && Effect !== 'Deny') throw new Error(`Statement ${String(Sid)} has no effect.`);
  const conditions = Object.entries(asObject(Condition)).flatMap(([operator, keys]) =>
    Object.entries(asObject(keys)).map(([key, values]) => ({ operator, key, values: texts(values) })),
  );
  return { effect: Effect, actions: texts(Action), resources: texts(Resource), conditions };
}

function texts(value: Json | undefined): readonly string[] {
  const list = Array.isArray(value) ? asList(value) : [value];
  if (list.length === 0) throw new Error('A list in a policy was expected to have a member.');
  return list.map((each) => {
    // IAM would refuse an empty text; a policy variable would need the request to be evaluated.
    if (typeof each !== 'string' || each === '' || each.includes('${')) {
      throw new Error(`A plain text was expected in a policy, found ${JSON.stringify(each)}.`);
    }
    return each;
  });
}

function applies({ actions, resources, conditions }: Statement, { action, resource, context = {} }: Call): boolean {
  return (
    actions.some((pattern) => matches(pattern.toLowerCase(), action.toLowerCase())) &&
    resources.some((pattern) => matches(pattern, resource)) &&
    conditions.every((condition) => holds(condition, context))
  );
}

function holds({ operator, key, values }: Condition, context: NonNullable<Call['context']>): boolean {
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
