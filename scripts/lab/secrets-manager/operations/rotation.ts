import { parseSchedule, type RotationRules, ScheduleSyntaxError } from '../../../../shared/schedule/schedule.ts';
import type { Input } from '../../http/input.ts';
import { identify } from '../description.ts';
import { invalidParameter, invalidRequest } from '../errors.ts';
import type { Operation, OperationTable } from '../operation.ts';
import { type ExternalRotation, refuseChange } from '../secret.ts';
import { requiredToken, secretId } from '../validate.ts';

const rotateSecret: Operation = (input, call) => {
  const token = requiredToken(input, invalidParameter);
  const id = secretId(input);
  const functionArn = input.text('RotationLambdaARN', { max: 2048 }) || undefined;
  const rules = readRules(input.structure('RotationRules'));
  const immediately = input.flag('RotateImmediately') ?? true;
  const external = readExternal(input);
  const secret = call.state.get(call.region, id);
  refuseChange(secret);
  call.rotations.rotate(secret, { token, functionArn, rules, immediately, external });
  return { ...identify(secret), VersionId: token };
};

function readExternal(input: Input): ExternalRotation | undefined {
  const metadata = input.structures('ExternalSecretRotationMetadata')?.map((item) => ({
    Key: item.requiredText('Key', { min: 1, max: 256 }),
    Value: item.requiredText('Value', { min: 1, max: 2048 }),
  }));
  const roleArn = input.text('ExternalSecretRotationRoleArn', { min: 20, max: 2048 });
  return metadata || roleArn ? { metadata, roleArn } : undefined;
}

function readRules(input: Input | undefined): RotationRules | undefined {
  if (!input) return undefined;
  const rules: RotationRules = {
    AutomaticallyAfterDays: input.integer('AutomaticallyAfterDays'),
    Duration: input.text('Duration', { min: 2, max: 3, pattern: /^[0-9]+h$/ }),
    ScheduleExpression: input.text('ScheduleExpression', { min: 1, max: 256, pattern: /^[0-9A-Za-z()#?*\-/, ]+$/ }),
  };
  const days = rules.AutomaticallyAfterDays;
  if (days !== undefined && (days < 1 || days > 1000)) {
    throw invalidParameter('RotationRules.AutomaticallyAfterDays must be within 1-1000.');
  }
  try {
    parseSchedule(rules);
  } catch (error) {
    if (error instanceof ScheduleSyntaxError) throw invalidParameter(error.message);
    throw error;
  }
  return rules;
}

const cancelRotateSecret: Operation = (input, call) => {
  const secret = call.state.get(call.region, secretId(input));
  refuseChange(secret);
  if (!secret.content.rotation) {
    throw invalidRequest("You can't cancel rotation for a secret that isn't configured for rotation.");
  }
  return { ...identify(secret), VersionId: call.rotations.cancel(secret)?.id };
};

export const rotation: OperationTable = { RotateSecret: rotateSecret, CancelRotateSecret: cancelRotateSecret };
