/** What the doctor asks of other services than Secrets Manager. Every question may go without an answer. */
import type { Context } from '../context.ts';
import { asCommandError, asking, awsError } from '../failures.ts';
import { regionOf } from '../functions.ts';
import type { Asked } from './finding.ts';

/** Keeps the reason where there is no answer. */
export async function ask<T>(question: Promise<T>): Promise<Asked<T>> {
  try {
    return { value: await question };
  } catch (error) {
    return { error: asCommandError(error) };
  }
}

/** Who asks, and in which account. */
export async function callerOf({ aws }: Context): Promise<{ readonly arn: string; readonly account: string }> {
  const { GetCallerIdentityCommand, STSClient } = await import('@aws-sdk/client-sts');
  const call = new STSClient(aws.settings).send(new GetCallerIdentityCommand({}));
  const { Arn = '', Account = '' } = await asking('sts:GetCallerIdentity', call);
  return { arn: Arn, account: Account };
}

/** The function's resource policy; undefined where it has none. */
export async function invokePolicy({ aws }: Context, functionArn: string): Promise<string | undefined> {
  const { GetPolicyCommand, LambdaClient } = await import('@aws-sdk/client-lambda');
  const client = new LambdaClient({ ...aws.settings, ...regionOf(functionArn) });
  try {
    return (await client.send(new GetPolicyCommand({ FunctionName: functionArn }))).Policy;
  } catch (error) {
    if (error instanceof Error && error.name === 'ResourceNotFoundException') return undefined;
    throw awsError(`lambda:GetPolicy of ${functionArn}`, error);
  }
}

export interface SimulatedCalls {
  readonly roleArn: string;
  readonly actions: readonly string[];
  readonly resource: string;
  /** Condition keys. */
  readonly context: Readonly<Record<string, string>>;
}

/** The actions that the role's policies (its boundary and the organization's included) do not allow. */
export async function deniedActions({ aws }: Context, calls: SimulatedCalls): Promise<string[]> {
  const { IAMClient, SimulatePrincipalPolicyCommand } = await import('@aws-sdk/client-iam');
  const command = new SimulatePrincipalPolicyCommand({
    PolicySourceArn: calls.roleArn,
    ActionNames: [...calls.actions],
    ResourceArns: [calls.resource],
    ContextEntries: Object.entries(calls.context).map(([ContextKeyName, value]) => ({
      ContextKeyName,
      ContextKeyValues: [value],
      ContextKeyType: 'string' as const,
    })),
  });
  const call = new IAMClient(aws.settings).send(command);
  const { EvaluationResults = [] } = await asking(`iam:SimulatePrincipalPolicy of ${calls.roleArn}`, call);
  return EvaluationResults.filter(({ EvalDecision }) => EvalDecision !== 'allowed').flatMap(
    ({ EvalActionName }) => EvalActionName ?? [],
  );
}

export interface KeyFacts {
  readonly arn: string;
  readonly state: string;
}

export async function describeKey({ aws }: Context, keyId: string): Promise<KeyFacts> {
  const { DescribeKeyCommand, KMSClient } = await import('@aws-sdk/client-kms');
  const client = new KMSClient({ ...aws.settings, ...(keyId.startsWith('arn:') ? regionOf(keyId) : {}) });
  const { KeyMetadata } = await asking(
    `kms:DescribeKey of ${keyId}`,
    client.send(new DescribeKeyCommand({ KeyId: keyId })),
  );
  return { arn: KeyMetadata?.Arn ?? keyId, state: KeyMetadata?.KeyState ?? 'unknown' };
}
