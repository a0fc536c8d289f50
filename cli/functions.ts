import type { FunctionConfiguration } from '@aws-sdk/client-lambda';
import type { StrategyName } from '../shared/rotation/strategy.ts';
import type { Context } from './context.ts';
import { asking } from './failures.ts';

/** A rotation function as Lambda describes it. */
export interface RotationFunction {
  readonly arn: string;
  readonly name: string;
  readonly logGroup: string;
  readonly configuration: FunctionConfiguration;
  /** Undefined: no reservation. */
  readonly reservedConcurrency: number | undefined;
}

export async function describeFunction({ aws }: Context, arn: string): Promise<RotationFunction> {
  const { GetFunctionCommand, LambdaClient } = await import('@aws-sdk/client-lambda');
  const client = new LambdaClient({ ...aws.settings, ...regionOf(arn) });
  const call = client.send(new GetFunctionCommand({ FunctionName: arn }));
  const { Configuration = {}, Concurrency } = await asking(`lambda:GetFunction of ${arn}`, call);
  const name = Configuration.FunctionName ?? functionName(arn);
  return {
    arn,
    name,
    logGroup: Configuration.LoggingConfig?.LogGroup ?? `/aws/lambda/${name}`,
    configuration: Configuration,
    reservedConcurrency: Concurrency?.ReservedConcurrentExecutions,
  };
}

export function functionName(arn: string): string {
  return arn.split(':')[6] ?? arn;
}

/** A function may be in another region than the command's: its ARN tells. */
export function regionOf(arn: string): { readonly region?: string } {
  const region = arn.split(':')[3];
  return region ? { region } : {};
}

/** From the end of the function's name: this project's template and AWS's own put it behind the stack's; pure. */
export function strategyOf(arn: string | undefined): StrategyName | undefined {
  const last = [...functionName(arn ?? '').matchAll(/alternating|multi-?user|single-?user/gi)].at(-1)?.[0];
  if (last === undefined) return undefined;
  return /^single/i.test(last) ? 'single-user' : 'alternating-users';
}
