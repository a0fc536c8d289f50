/** Checks of what the function's role may do, and of the key: judged from what IAM and KMS answer. */
import type { Context } from '../context.ts';
import type { DescribedSecret } from '../secrets.ts';
import { ask, deniedActions, describeKey, type SimulatedCalls } from './aws-facts.ts';
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
  const findings = [judgeRole('role policy', onSecret, await ask(deniedActions(context, onSecret)))];
  if (superuserSecretArn !== undefined) {
    const onSuperuser = { roleArn, actions: ON_THE_SUPERUSER_SECRET, resource: superuserSecretArn, context: {} };
    findings.push(judgeRole('superuser policy', onSuperuser, await ask(deniedActions(context, onSuperuser))));
  }
  return findings;
}

export function judgeRole(
  check: Check,
  { roleArn, resource, actions }: SimulatedCalls,
  denied: Asked<string[]>,
): Finding {
  if ('error' in denied) return unknown(check, denied.error.message);
  const role = roleArn.split('/').at(-1) ?? roleArn;
  if (denied.value.length === 0) return ok(check, `${role} may make the ${actions.length} calls that a rotation needs`);
  const remedy = `Allow them in the policy of ${roleArn} on ${resource}, as template.yaml does.`;
  return broken(check, `${role} may not call ${denied.value.join(', ')}`, remedy);
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
  return [judgeRole('KMS', calls, await ask(deniedActions(context, calls)))];
}

function keyContext(secretArn: string): Readonly<Record<string, string>> {
  const region = secretArn.split(':')[3] ?? '';
  return {
    'kms:EncryptionContext:SecretARN': secretArn,
    'kms:ViaService': `secretsmanager.${region}.amazonaws.com`,
  };
}
