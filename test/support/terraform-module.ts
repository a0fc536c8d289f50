/** The module as a provider that makes everything up has made it: what resources it asks for, without an account. */
import type { StrategyName } from '../../shared/rotation/strategy.ts';
import { asList, asObject, asText, type Json, type JsonObject } from './cloudformation.ts';
import { type PolicyDocument, policyDocument } from './iam.ts';
import { TerraformFolder } from './terraform.ts';

export type ModuleInput = Readonly<Record<string, Json>>;

const STRATEGIES: readonly StrategyName[] = ['single-user', 'alternating-users'];
const ACCOUNT = 'eu-west-1:111122223333';
const functionArn = (strategy: string) => `arn:aws:lambda:${ACCOUNT}:function:rotation-${strategy}`;
const logGroupArn = (strategy: string) => `arn:aws:logs:${ACCOUNT}:log-group:/aws/lambda/rotation/${strategy}`;

const PACKAGES: ModuleInput = {
  bucket: 'releases',
  keys: Object.fromEntries(STRATEGIES.map((strategy) => [strategy, `${strategy}.zip`])),
};

/** The provider's answers that the module goes on with. */
const MOCKED = {
  mock_data: {
    aws_partition: { defaults: { partition: 'aws', dns_suffix: 'amazonaws.com' } },
    aws_caller_identity: { defaults: { account_id: '111122223333' } },
    aws_region: { defaults: { id: 'eu-west-1' } },
  },
  mock_resource: {
    aws_iam_role: { defaults: { arn: 'arn:aws:iam::111122223333:role/made-up' } },
    aws_sns_topic: { defaults: { arn: `arn:aws:sns:${ACCOUNT}:rotation-alarms` } },
  },
};

/** One use of the module: the resources and outputs that there would be. */
export class MadeUpModule {
  readonly #resources: readonly JsonObject[];

  constructor(resources: readonly JsonObject[]) {
    this.#resources = resources;
  }

  /** Of all resources of a type, by their name and key in the module. */
  resources(type: string): Record<string, JsonObject> {
    return Object.fromEntries(
      this.#resources
        .filter((resource) => resource.type === type)
        .map((resource) => [nameOf(resource), asObject(resource.values)]),
    );
  }

  /** @param key of for_each, or the index of count. */
  resource(type: string, key: string): JsonObject {
    const found = this.#resources.filter((each) => each.type === type && String(each.index) === key);
    const [only, ...others] = found;
    if (only === undefined || others.length > 0)
      throw new Error(`One ${type} ${key} was expected, not ${found.length}.`);
    return asObject(only.values);
  }

  /** The one resource of a type. */
  only(type: string): JsonObject {
    const [only, ...others] = Object.values(this.resources(type));
    if (only === undefined || others.length > 0) throw new Error(`One ${type} was expected.`);
    return only;
  }

  types(): string[] {
    return [...new Set(this.#resources.map(({ type }) => asText(type)))];
  }

  functionArn(strategy: StrategyName): string {
    return asText(this.resource('aws_lambda_function', strategy).arn);
  }

  logGroup(strategy: StrategyName): string {
    return asText(this.resource('aws_cloudwatch_log_group', strategy).name);
  }

  policiesOfRole(strategy: StrategyName): PolicyDocument[] {
    const { id } = this.resource('aws_iam_role', strategy);
    return Object.values(this.resources('aws_iam_role_policy'))
      .filter(({ role }) => role === id)
      .map(({ policy }) => documentOf(policy));
  }
}

function nameOf({ name, index }: JsonObject): string {
  return index === undefined ? asText(name) : `${asText(name)} ${index}`;
}

export function documentOf(policy: Json | undefined): PolicyDocument {
  return policyDocument(JSON.parse(asText(policy)));
}

/** The module used once for each set of variables, all in one run. */
export async function madeUpModules<Name extends string>(
  sets: Readonly<Record<Name, ModuleInput>>,
): Promise<(name: Name) => MadeUpModule> {
  await using folder = await TerraformFolder.create();
  const names = Object.keys(sets) as Name[];
  const uses = names.map((name, index) => [`use${index}`, sets[name]] as const);
  const packages = { s3_packages: PACKAGES };
  await folder.write('main.tf.json', {
    terraform: { required_providers: { aws: { source: 'hashicorp/aws' } } },
    module: Object.fromEntries(
      uses.map(([use, set]) => [use, { source: './module', name: 'rotation', ...packages, ...set }]),
    ),
  });
  const arns = uses.flatMap(([use]) =>
    STRATEGIES.flatMap((strategy) => [
      { target: `module.${use}.aws_lambda_function.this["${strategy}"]`, values: { arn: functionArn(strategy) } },
      { target: `module.${use}.aws_cloudwatch_log_group.this["${strategy}"]`, values: { arn: logGroupArn(strategy) } },
    ]),
  );
  await folder.write('all.tftest.json', {
    mock_provider: { aws: { ...MOCKED, override_resource: arns } },
    run: { all: {} },
  });
  await folder.run(['init']);
  const lines = (await folder.run(['test', '-json', '-verbose'])).split('\n');
  const line = lines.find((each) => each.includes('"type":"test_state"'));
  if (line === undefined) throw new Error(`terraform test told of no state:\n${lines.join('\n')}`);
  const state = asObject(asObject(JSON.parse(line)).test_state);
  const modules = asList(asObject(state.root_module).child_modules).map(asObject);
  return (name) => {
    const address = `module.use${names.indexOf(name)}`;
    const found = modules.find((each) => each.address === address);
    if (found === undefined) throw new Error(`The module was not used for ${name}.`);
    return new MadeUpModule(asList(found.resources).map(asObject));
  };
}
