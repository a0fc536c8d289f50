/**
 * What CloudFormation would make of a template and parameters: Conditions, Rules and intrinsic functions evaluated,
 * references to resources answered with made-up names and ARNs. Anything it does not know is an error, never a guess.
 */

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

export interface Template {
  readonly Metadata: JsonObject;
  readonly Parameters: Readonly<Record<string, TemplateParameter>>;
  readonly Rules: Readonly<
    Record<string, { readonly RuleCondition?: Json; readonly Assertions: readonly Assertion[] }>
  >;
  readonly Conditions: Readonly<Record<string, Json>>;
  readonly Resources: Readonly<Record<string, TemplateResource>>;
  readonly Outputs: Readonly<Record<string, TemplateOutput>>;
}

export interface TemplateOutput {
  readonly Value: Json;
  readonly Condition?: string;
  readonly Export?: { readonly Name: Json };
}

export interface TemplateParameter {
  readonly Type: string;
  readonly Description?: string;
  readonly Default?: string | number;
  readonly AllowedPattern?: string;
  readonly AllowedValues?: readonly (string | number)[];
  readonly MaxLength?: number;
  readonly MinValue?: number;
  readonly MaxValue?: number;
}

interface Assertion {
  readonly Assert: Json;
  readonly AssertDescription: string;
}

export interface TemplateResource {
  readonly Type: string;
  readonly Condition?: string;
  readonly DependsOn?: string | readonly string[];
  readonly Properties?: JsonObject;
}

export interface Resource {
  readonly type: string;
  readonly dependsOn: readonly string[];
  readonly properties: JsonObject;
}

export type Parameters = Readonly<Record<string, string>>;

export const PSEUDO = {
  'AWS::AccountId': '111122223333',
  'AWS::Region': 'eu-west-1',
  'AWS::Partition': 'aws',
  'AWS::URLSuffix': 'amazonaws.com',
  'AWS::StackName': 'rotation',
} as const;

/** A property that resolves to this is left out, as CloudFormation leaves out AWS::NoValue. */
const NO_VALUE = Symbol('AWS::NoValue');
type Resolved = Json | typeof NO_VALUE;

/** A template with parameters: the resources and outputs that would be there. */
export class Stack {
  readonly template: Template;
  readonly #parameters: Parameters;
  readonly #pseudo: Readonly<Record<string, string>>;

  /**
   * @param pseudo parameters that are other ones elsewhere, such as AWS::Partition.
   * @throws Error where CloudFormation would refuse a parameter.
   */
  constructor(template: Template, given: Parameters, pseudo: Readonly<Record<string, string>> = {}) {
    this.template = template;
    this.#pseudo = { ...PSEUDO, ...pseudo };
    this.#parameters = parametersOf(template, given);
  }

  /** Descriptions of the assertions that do not hold; CloudFormation refuses the stack where there is one. */
  brokenRules(): string[] {
    return Object.values(this.template.Rules)
      .filter((rule) => rule.RuleCondition === undefined || this.#holds(rule.RuleCondition))
      .flatMap((rule) => rule.Assertions.filter(({ Assert }) => !this.#holds(Assert)))
      .map(({ AssertDescription }) => AssertDescription);
  }

  has(logicalId: string): boolean {
    const resource = this.template.Resources[logicalId];
    return resource !== undefined && (resource.Condition === undefined || this.#condition(resource.Condition));
  }

  resource(logicalId: string): Resource {
    const resource = this.template.Resources[logicalId];
    if (resource === undefined || !this.has(logicalId)) throw new Error(`The stack has no resource ${logicalId}.`);
    return {
      type: resource.Type,
      dependsOn: [resource.DependsOn ?? []].flat(),
      properties: asObject(this.#resolve(resource.Properties ?? {})),
    };
  }

  /** Logical ids of the resources there are, of one type or of all. */
  resources(type?: string): string[] {
    return Object.entries(this.template.Resources)
      .filter(([id, resource]) => (type === undefined || resource.Type === type) && this.has(id))
      .map(([id]) => id);
  }

  outputs(): Record<string, string> {
    const there = Object.entries(this.template.Outputs).filter(
      ([, { Condition }]) => Condition === undefined || this.#condition(Condition),
    );
    return Object.fromEntries(there.map(([name, { Value }]) => [name, asText(this.#resolve(Value))]));
  }

  /** The names under which other stacks import outputs. */
  exports(): Record<string, string> {
    const there = Object.entries(this.template.Outputs).filter(([name]) => Object.hasOwn(this.outputs(), name));
    return Object.fromEntries(
      there.flatMap(([name, { Export }]) => (Export === undefined ? [] : [[name, asText(this.#resolve(Export.Name))]])),
    );
  }

  /** What Ref answers for a parameter, a pseudo parameter or a resource. */
  ref(name: string): string {
    const value = this.#ref(name);
    if (typeof value !== 'string') throw new Error(`${name} has no value.`);
    return value;
  }

  /** What Fn::GetAtt answers for the attribute Arn. */
  arn(logicalId: string): string {
    const { type } = this.resource(logicalId);
    const name = this.ref(logicalId);
    const arn = (service: string, rest: string, region: string = PSEUDO['AWS::Region']) =>
      `arn:aws:${service}:${region}:${PSEUDO['AWS::AccountId']}:${rest}`;
    switch (type) {
      case 'AWS::Lambda::Function':
        return arn('lambda', `function:${name}`);
      case 'AWS::IAM::Role':
        return arn('iam', `role/${name}`, '');
      case 'AWS::Logs::LogGroup':
        // With the asterisk, as CloudFormation gives it.
        return arn('logs', `log-group:${name}:*`);
      case 'AWS::Events::Rule':
        return arn('events', `rule/${name}`);
      default:
        throw new Error(`The ARN of ${logicalId}, a ${type}, is not known here.`);
    }
  }

  #ref(name: string): string | typeof NO_VALUE {
    if (name === 'AWS::NoValue') return NO_VALUE;
    const value = this.#parameters[name] ?? this.#pseudo[name];
    if (value !== undefined) return value;

    const { type, properties } = this.resource(name);
    if (type === 'AWS::SNS::Topic') return `arn:aws:sns:eu-west-1:111122223333:rotation-${name}`;
    if (type === 'AWS::IAM::ManagedPolicy') return `arn:aws:iam::111122223333:policy/rotation-${name}`;
    if (type === 'AWS::Logs::LogGroup') return asText(properties.LogGroupName ?? null);
    return `rotation-${name}`;
  }

  #condition(name: string): boolean {
    const condition = this.template.Conditions[name];
    if (condition === undefined) throw new Error(`The template has no condition ${name}.`);
    return this.#holds(condition);
  }

  #holds(expression: Json): boolean {
    const [name, argument] = onlyEntry(expression);
    switch (name) {
      case 'Condition':
        return this.#condition(asText(argument));
      case 'Fn::Not':
        return !this.#holds(asList(argument)[0] ?? null);
      case 'Fn::And':
        return asList(argument).every((each) => this.#holds(each));
      case 'Fn::Or':
        return asList(argument).some((each) => this.#holds(each));
      case 'Fn::Equals': {
        const [left, right] = asList(argument).map((each) => this.#resolve(each));
        return left === right;
      }
      default:
        throw new Error(`${name} is not a condition that is known here.`);
    }
  }

  #resolve(value: Json): Resolved {
    if (Array.isArray(value)) return value.map((each) => this.#resolve(each)).filter((each) => each !== NO_VALUE);
    if (!isObject(value)) return value;

    const entries = Object.entries(value);
    const [first] = entries;
    if (entries.length === 1 && first !== undefined && (first[0] === 'Ref' || first[0].startsWith('Fn::'))) {
      return this.#intrinsic(...first);
    }
    const resolved = entries.map(([key, each]) => [key, this.#resolve(each)] as const);
    return Object.fromEntries(resolved.filter((entry): entry is readonly [string, Json] => entry[1] !== NO_VALUE));
  }

  #intrinsic(name: string, argument: Json): Resolved {
    switch (name) {
      case 'Ref':
        return this.#ref(asText(argument));
      case 'Fn::If': {
        const [condition, yes, no] = asList(argument);
        return this.#resolve((this.#condition(asText(condition)) ? yes : no) ?? null);
      }
      case 'Fn::GetAtt': {
        const [logicalId, attribute] = asList(argument).map(asText);
        if (attribute !== 'Arn') throw new Error(`Fn::GetAtt ${attribute} is not known here.`);
        return this.arn(logicalId ?? '');
      }
      case 'Fn::Split': {
        const [delimiter, text] = asList(argument).map((each) => asText(this.#resolve(each)));
        return (text ?? '').split(delimiter ?? ',');
      }
      case 'Fn::Select': {
        const [index, from] = asList(argument);
        return this.#resolve(asList(from)[Number(index)] ?? null);
      }
      case 'Fn::Sub': {
        if (typeof argument === 'string') return this.#substitute(argument);
        const [text, own] = asList(argument);
        return this.#substitute(asText(text), asObject(this.#resolve(own ?? {})));
      }
      default:
        throw new Error(`${name} is not known here.`);
    }
  }

  /** @param own what the names mean that are given beside the text. */
  #substitute(text: string, own: JsonObject = {}): string {
    return text.replace(/\$\{([^}]+)\}/g, (_, name: string) => {
      if (own[name] !== undefined) return asText(own[name]);
      if (name.startsWith('!')) return `\${${name.slice(1)}}`;
      return name.endsWith('.Arn') ? this.arn(name.slice(0, -'.Arn'.length)) : this.ref(name);
    });
  }
}

/** What each resource needs to be there first: DependsOn and every reference, whichever branch of Fn::If it is in. */
export function dependencies(template: Template): ReadonlyMap<string, ReadonlySet<string>> {
  const names = new Set(Object.keys(template.Resources));
  return new Map(
    Object.entries(template.Resources).map(([id, { DependsOn, Properties }]) => {
      const mentioned = [...[DependsOn ?? []].flat(), ...references(Properties ?? {})];
      return [id, new Set(mentioned.filter((name) => names.has(name)))];
    }),
  );
}

function references(value: Json): string[] {
  if (Array.isArray(value)) return value.flatMap(references);
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, argument]) => {
    if (key === 'Ref') return [asText(argument)];
    if (key === 'Fn::GetAtt') return [asText(asList(argument)[0] ?? null)];
    if (key === 'Fn::Sub') {
      const [text, own] = typeof argument === 'string' ? [argument, null] : asList(argument);
      return [
        ...references(own ?? null),
        ...Array.from(asText(text).matchAll(/\$\{([A-Za-z0-9]+)/g), ([, name]) => name ?? ''),
      ];
    }
    return references(argument);
  });
}

function parametersOf(template: Template, given: Parameters): Parameters {
  const unknown = Object.keys(given).filter((name) => template.Parameters[name] === undefined);
  if (unknown.length > 0) throw new Error(`The template has no parameter ${unknown.join(', ')}.`);
  return Object.fromEntries(
    Object.entries(template.Parameters).map(([name, parameter]) => {
      const value = given[name] ?? String(parameter.Default);
      if (!isAccepted(parameter, value)) throw new Error(`Parameter ${name} can't be "${value}".`);
      return [name, value];
    }),
  );
}

function isAccepted(parameter: TemplateParameter, value: string): boolean {
  const { Type, AllowedPattern, AllowedValues, MaxLength, MinValue, MaxValue } = parameter;
  if (Type !== 'String' && Type !== 'Number') throw new Error(`Parameters of type ${Type} are not known here.`);
  if (AllowedPattern !== undefined && !new RegExp(`^(?:${AllowedPattern})$`).test(value)) return false;
  if (AllowedValues !== undefined && !AllowedValues.map(String).includes(value)) return false;
  // Without a MaxLength CloudFormation takes 4,096 bytes.
  if (Type === 'String') return value.length <= (MaxLength ?? 4096);
  return /^\d+$/.test(value) && Number(value) >= (MinValue ?? 0) && Number(value) <= (MaxValue ?? Number.MAX_VALUE);
}

function onlyEntry(value: Json): [string, Json] {
  const [entry, ...others] = isObject(value) ? Object.entries(value) : [];
  if (entry === undefined || others.length > 0) throw new Error(`One function was expected: ${JSON.stringify(value)}`);
  return entry;
}

export function isObject(value: Resolved | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function asObject(value: Resolved | undefined): JsonObject {
  if (!isObject(value)) throw new Error(`An object was expected, found ${String(value)}.`);
  return value;
}

export function asList(value: Resolved | undefined): readonly Json[] {
  if (!Array.isArray(value)) throw new Error(`A list was expected, found ${String(value)}.`);
  return value;
}

export function asText(value: Resolved | undefined): string {
  if (typeof value !== 'string') throw new Error(`A text was expected, found ${String(value)}.`);
  return value;
}
