/** What the doctor asks of other services than Secrets Manager. Every question may go without an answer. */
import { GetResourcePolicyCommand } from '@aws-sdk/client-secrets-manager';
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

/** What the role's policies (its boundary and the organization's included) say, as far as they do not allow everything. */
export interface Simulation {
  /** Forbidden: nothing else can allow them. */
  readonly forbidden: readonly string[];
  /** Allowed by none of these policies: a policy of the secret or the key may. */
  readonly notAllowed: readonly string[];
  /** Condition keys whose values nobody has given, for which IAM can't tell. */
  readonly missing: readonly string[];
}

export async function simulate({ aws }: Context, calls: SimulatedCalls): Promise<Simulation> {
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
  const actions = (decision: string) =>
    EvaluationResults.filter(({ EvalDecision }) => EvalDecision === decision).flatMap(
      ({ EvalActionName }) => EvalActionName ?? [],
    );
  const undecided = EvaluationResults.filter(({ EvalDecision }) => EvalDecision !== 'allowed');
  const missing = new Set(undecided.flatMap(({ MissingContextValues }) => MissingContextValues ?? []));
  return { forbidden: actions('explicitDeny'), notAllowed: actions('implicitDeny'), missing: [...missing] };
}

/** Whether the secret has a policy of its own, which may allow what the role's do not. */
export async function hasResourcePolicy({ aws }: Context, secretArn: string): Promise<boolean> {
  const call = aws.secretsManager.send(new GetResourcePolicyCommand({ SecretId: secretArn }));
  const { ResourcePolicy } = await asking(`secretsmanager:GetResourcePolicy of ${secretArn}`, call);
  return ResourcePolicy !== undefined;
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
