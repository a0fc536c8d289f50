import type { StrategyName } from '../shared/rotation/strategy.ts';
import type { Context } from './context.ts';
import { asking, refused } from './failures.ts';

/** Names of template.yaml's outputs. */
const OUTPUTS: Readonly<Record<StrategyName, string>> = {
  'single-user': 'SingleUserFunctionArn',
  'alternating-users': 'AlternatingUsersFunctionArn',
};

/** The ARN of a deployed function, from the outputs of its stack. */
export async function functionOfStack({ aws }: Context, stack: string, strategy: StrategyName): Promise<string> {
  const { CloudFormationClient, DescribeStacksCommand } = await import('@aws-sdk/client-cloudformation');
  const call = new CloudFormationClient(aws.settings).send(new DescribeStacksCommand({ StackName: stack }));
  const { Stacks = [] } = await asking(`cloudformation:DescribeStacks of ${stack}`, call);
  const found = Stacks[0]?.Outputs?.find(({ OutputKey }) => OutputKey === OUTPUTS[strategy])?.OutputValue;
  if (found !== undefined) return found;
  throw refused(
    'NO_SUCH_OUTPUT',
    `The stack ${stack} must have the output ${OUTPUTS[strategy]}, and it has none.`,
    "Name the stack that was deployed from this project's template.yaml, or give --function.",
  );
}

/** The names of the stacks that have a function for the strategy; undefined where they may not be listed. */
export async function stacksWith({ aws }: Context, strategy: StrategyName): Promise<string[] | undefined> {
  const { CloudFormationClient, paginateDescribeStacks } = await import('@aws-sdk/client-cloudformation');
  const found: string[] = [];
  try {
    for await (const { Stacks = [] } of paginateDescribeStacks(
      { client: new CloudFormationClient(aws.settings) },
      {},
    )) {
      const fitting = Stacks.filter(({ Outputs = [] }) =>
        Outputs.some(({ OutputKey }) => OutputKey === OUTPUTS[strategy]),
      );
      found.push(...fitting.flatMap(({ StackName }) => StackName ?? []));
    }
  } catch {
    return undefined;
  }
  return found.sort();
}
