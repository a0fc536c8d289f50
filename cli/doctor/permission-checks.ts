/** Checks of what the function's role may do, and of the key: judged from what IAM and KMS answer. */
import type { Context } from '../context.ts';
import type { DescribedSecret } from '../secrets.ts';
import { ask, describeKey, hasResourcePolicy, type SimulatedCalls, type Simulation, simulate } from './aws-facts.ts';
import { type Asked, broken, type Check, type Finding, ok, unknown } from './finding.ts';

/** The calls that a rotation makes (shared/aws/secret-store.ts). */
const ON_THE_SECRET = [
  'secretsmanager:DescribeSecret',
  'secretsmanager:GetSecretValue',
  'secretsmanager:ListSecretVersionIds',
  'secretsmanager:PutSecretValue',
  'secretsmanager:UpdateSecretVersionStage',
];
const ON_THE_SUPERUSER_SECRET = ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue'];
const ON_THE_KEY = ['kms:Decrypt', 'kms:GenerateDataKey'];

export interface RoleFacts {
  readonly secret: DescribedSecret;
  readonly functionArn: string;
  readonly roleArn: string;
  readonly superuserSecretArn: string | undefined;
}

export async function checkRole(context: Context, facts: RoleFacts): Promise<Finding[]> {
  const { secret, functionArn, roleArn, superuserSecretArn } = facts;
  const onSecret: SimulatedCalls = {
    roleArn,
    actions: ON_THE_SECRET,
    resource: secret.ARN,
    context: { 'secretsmanager:resource/AllowRotationLambdaArn': functionArn },
  };
  const findings = [await checkOnSecret(context, 'role policy', onSecret)];
  if (superuserSecretArn !== undefined) {
    const onSuperuser = { roleArn, actions: ON_THE_SUPERUSER_SECRET, resource: superuserSecretArn, context: {} };
    findings.push(await checkOnSecret(context, 'superuser policy', onSuperuser));
  }
  return findings;
}

async function checkOnSecret(context: Context, check: Check, calls: SimulatedCalls): Promise<Finding> {
  const simulated = await ask(simulate(context, calls));
  if ('error' in simulated || simulated.value.notAllowed.length === 0) return judgeRole(check, calls, simulated);
  const policy = await ask(hasResourcePolicy(context, calls.resource));
  // Without an answer there may be one.
  return judgeRole(check, calls, simulated, 'error' in policy || policy.value ? "the secret's policy" : undefined);
}

/** @param elsewhere the policy of the resource that may allow what the role's policies do not; pure. */
export function judgeRole(
  check: Check,
  { roleArn, resource, actions }: SimulatedCalls,
  simulated: Asked<Simulation>,
  elsewhere?: string,
): Finding {
  if ('error' in simulated) return unknown(check, simulated.error.message);
  const { forbidden, notAllowed, missing } = simulated.value;
  const role = roleArn.split('/').at(-1) ?? roleArn;
  if (forbidden.length + notAllowed.length === 0) {
    return ok(check, `${role} may make the ${actions.length} calls that a rotation needs`);
  }
  if (missing.length > 0) return unknown(check, `it depends on ${missing.join(', ')}, which only a real call has`);
  if (forbidden.length === 0 && elsewhere !== undefined) {
    return unknown(check, `the policies of ${role} do not allow ${notAllowed.join(', ')}, and ${elsewhere} may`);
  }
  const remedy = `Allow them in the policy of ${roleArn} on ${resource}, as template.yaml does.`;
  return broken(check, `${role} may not call ${[...forbidden, ...notAllowed].join(', ')}`, remedy);
}

/** Secrets under aws/secretsmanager need no permission on a key. */
export async function checkKey(context: Context, { secret, roleArn }: Omit<RoleFacts, 'superuserSecretArn'>) {
  const { KmsKeyId: keyId, ARN } = secret;
  if (keyId === undefined || /(^|:)alias\/aws\/secretsmanager$/.test(keyId)) {
    return [ok('KMS', 'the secret is encrypted under aws/secretsmanager, which needs no permission')];
  }
  const key = await ask(describeKey(context, keyId));
  if ('error' in key) {
    return key.error.code === 'NotFoundException'
      ? [
          broken(
            'KMS',
            `the key ${keyId} does not exist`,
            `aws secretsmanager update-secret --secret-id ${ARN} --kms-key-id …`,
          ),
        ]
      : [unknown('KMS', key.error.message)];
  }
  const { arn, state } = key.value;
  if (state !== 'Enabled') {
    const remedy = state === 'PendingDeletion' ? 'aws kms cancel-key-deletion' : 'aws kms enable-key';
    return [broken('KMS', `the key ${arn} is ${state}`, `${remedy} --key-id ${arn}`)];
  }
  const calls = { roleArn, actions: ON_THE_KEY, resource: arn, context: keyContext(ARN) };
  return [judgeRole('KMS', calls, await ask(simulate(context, calls)), 'the key policy')];
}

function keyContext(secretArn: string): Readonly<Record<string, string>> {
  const [, partition, , region = ''] = secretArn.split(':');
  const domain = partition === 'aws-cn' ? 'amazonaws.com.cn' : 'amazonaws.com';
  return {
    'kms:EncryptionContext:SecretARN': secretArn,
    'kms:ViaService': `secretsmanager.${region}.${domain}`,
  };
}
