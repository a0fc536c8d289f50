/** All checks of a rotation function: itself, who may call it, what its role and its network let it do. */
import type { StrategyName } from '../../shared/rotation/strategy.ts';
import type { DatabaseSecret } from '../../shared/secret/database-secret.ts';
import type { Context } from '../context.ts';
import { describeFunction, type RotationFunction } from '../functions.ts';
import type { DescribedSecret } from '../secrets.ts';
import { ask, invokePolicy } from './aws-facts.ts';
import { judgeCopies } from './copy-checks.ts';
import { broken, type Finding, ok, unknown } from './finding.ts';
import { judgeFunction, judgePermission } from './function-checks.ts';
import { judgeNetwork } from './network-checks.ts';
import { networkOf } from './network-facts.ts';
import { checkKey, checkRole } from './permission-checks.ts';

export interface FunctionVisit {
  readonly secret: DescribedSecret;
  /** Undefined where the secret's value can't be read. */
  readonly login: DatabaseSecret | undefined;
  readonly strategy: StrategyName;
  readonly functionArn: string;
}

/** @returns what Lambda says of the function; undefined where it gave no answer. */
export async function visitFunction(
  context: Context,
  { secret, login, strategy, functionArn }: FunctionVisit,
  add: (...found: readonly Finding[]) => void,
): Promise<RotationFunction | undefined> {
  const found = await ask(describeFunction(context, functionArn));
  if ('error' in found && found.error.code === 'ResourceNotFoundException') {
    const remedy = `Deploy it again, or attach another: rotation attach ${secret.Name} --stack …`;
    add(broken('function', `there is no function ${functionArn}`, remedy));
    return undefined;
  }
  add(...('value' in found ? judgeFunction(found.value) : [unknown('function', found.error.message)]));
  const policy = await ask(invokePolicy(context, functionArn));
  add(
    'value' in policy
      ? judgePermission({ functionArn, secretArn: secret.ARN, policy: policy.value })
      : unknown('invoke permission', policy.error.message),
  );
  if ('error' in found) return undefined;
  const described = found.value;
  const roleArn = described.configuration.Role ?? '';
  const superuserSecretArn = strategy === 'alternating-users' ? login?.superuserSecretArn : undefined;
  add(...(await checkRole(context, { secret, functionArn, roleArn, superuserSecretArn })));
  add(...(await checkKey(context, { secret, functionArn, roleArn })));
  if (login === undefined) return described;
  add(...judgeCopies(login, described.configuration.Environment?.Variables ?? {}));
  add(...(await checkNetwork(context, described, login)));
  return described;
}

export const isInVpc = ({ configuration }: RotationFunction) => (configuration.VpcConfig?.SubnetIds ?? []).length > 0;

async function checkNetwork(context: Context, described: RotationFunction, { host, port }: DatabaseSecret) {
  if (!isInVpc(described)) {
    return [ok('VPC', 'the function is in none: it reaches Secrets Manager, and databases with a public address')];
  }
  const network = await ask(networkOf(context, described, host));
  return 'value' in network ? judgeNetwork(network.value, host, port) : [unknown('VPC', network.error.message)];
}
