import type { Input } from '../../http/input.ts';
import { ServiceError } from '../../http/service.ts';
import { CALLER } from '../../services/account.ts';
import { identify } from '../description.ts';
import type { Operation, OperationCall, OperationTable } from '../operation.ts';
import { isPublic, parsePolicy } from '../resource-policy.ts';
import { refuseChange, refuseIfDeleted } from '../secret.ts';
import { secretId } from '../validate.ts';

const policyText = (input: Input) => input.requiredText('ResourcePolicy', { min: 1, max: 20_480 });

/** As the user guide words it ("Attach a permissions policy to a secret"). */
const BROAD_ACCESS = "You can't attach a resource-based policy that allows broad access to the secret.";

const putResourcePolicy: Operation = (input, call) => {
  const id = secretId(input);
  const policy = policyText(input);
  const secret = call.state.get(call.region, id);
  refuseChange(secret);
  const statements = parsePolicy(policy, existsIn(call));
  if (input.flag('BlockPublicPolicy') && isPublic(statements)) {
    throw new ServiceError('PublicPolicyException', BROAD_ACCESS);
  }
  secret.content.policy = policy;
  secret.content.lastChanged = call.now;
  return identify(secret);
};

/** The same checks without a secret, or for one; nothing is changed. */
const validateResourcePolicy: Operation = (input, call) => {
  const policy = policyText(input);
  if (input.has('SecretId')) refuseIfDeleted(call.state.get(call.region, secretId(input)));
  const isBroad = isPublic(parsePolicy(policy, existsIn(call)));
  const ValidationErrors = isBroad ? [{ CheckName: 'PUBLIC_POLICY', ErrorMessage: BROAD_ACCESS }] : [];
  return { PolicyValidationPassed: !isBroad, ValidationErrors };
};

const existsIn =
  ({ resources, functions }: OperationCall) =>
  (arn: string) =>
    arn === CALLER || resources.roles.has(arn) || functions.defaultRole(arn) !== undefined;

const getResourcePolicy: Operation = (input, call) => {
  const secret = call.state.get(call.region, secretId(input));
  refuseIfDeleted(secret);
  return { ...identify(secret), ResourcePolicy: secret.content.policy };
};

const deleteResourcePolicy: Operation = (input, call) => {
  const secret = call.state.get(call.region, secretId(input));
  refuseChange(secret);
  secret.content.policy = undefined;
  secret.content.lastChanged = call.now;
  return identify(secret);
};

export const policies: OperationTable = {
  PutResourcePolicy: putResourcePolicy,
  GetResourcePolicy: getResourcePolicy,
  DeleteResourcePolicy: deleteResourcePolicy,
  ValidateResourcePolicy: validateResourcePolicy,
};
