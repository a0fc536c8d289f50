import { parseSchedule, type RotationRules, ScheduleSyntaxError } from '../../../../shared/schedule/schedule.ts';
import type { Input } from '../../http/input.ts';
import { identify } from '../description.ts';
import { invalidParameter, invalidRequest } from '../errors.ts';
import type { Operation, OperationTable } from '../operation.ts';
import { refuseChange } from '../secret.ts';
import { requiredToken, secretId } from '../validate.ts';

const rotateSecret: Operation = (input, call) => {
  const token = requiredToken(input, invalidParameter);
  const id = secretId(input);
  const functionArn = input.text('RotationLambdaARN', { max: 2048 }) || undefined;
  const rules = readRules(input.structure('RotationRules'));
  const immediately = input.flag('RotateImmediately') ?? true;
  const secret = call.state.get(call.region, id);
  refuseChange(secret);
  call.rotations.rotate(secret, { token, functionArn, rules, immediately });
  return { ...identify(secret), VersionId: token };
};

function readRules(input: Input | undefined): RotationRules | undefined {
  if (!input) return undefined;
  const rules: RotationRules = {
    AutomaticallyAfterDays: input.integer('AutomaticallyAfterDays'),
    Duration: input.text('Duration', { min: 2, max: 3, pattern: /^[0-9]+h$/ }),
    ScheduleExpression: input.text('ScheduleExpression', { min: 1, max: 256, pattern: /^[0-9A-Za-z()#?*\-/, ]+$/ }),
  };
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
