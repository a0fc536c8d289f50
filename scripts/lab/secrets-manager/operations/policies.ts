import { ServiceError } from '../../http/service.ts';
import { identify } from '../description.ts';
import type { Operation, OperationTable } from '../operation.ts';
import { refuseChange, refuseIfDeleted } from '../secret.ts';
import { secretId } from '../validate.ts';

const putResourcePolicy: Operation = (input, call) => {
  const id = secretId(input);
  const policy = input.requiredText('ResourcePolicy', { min: 1, max: 20_480 });
  const statements = parseStatements(policy);
  if (input.flag('BlockPublicPolicy') && statements.some(isPublic)) {
    throw new ServiceError('PublicPolicyException', 'The resource policy grants broad access to the secret.');
  }
  const secret = call.state.get(call.region, id);
  refuseChange(secret);
  secret.content.policy = policy;
  secret.content.lastChanged = call.now;
  return identify(secret);
};

type Statement = Record<string, unknown>;

function parseStatements(policy: string): Statement[] {
  let document: unknown;
  try {
    document = JSON.parse(policy);
  } catch {
    throw malformed('This resource policy contains invalid Json.');
  }
  if (!isStatement(document)) throw malformed('A resource policy must be a JSON object.');
  const statements = [document.Statement].flat();
  for (const statement of statements) {
    if (!isStatement(statement)) throw malformed('A resource policy must have a Statement.');
    if (statement.Effect !== 'Allow' && statement.Effect !== 'Deny')
      throw malformed('A statement must have an Effect.');
    if (!statement.Principal && !statement.NotPrincipal) throw malformed('A statement must have a Principal.');
    if (!statement.Action && !statement.NotAction) throw malformed('A statement must have an Action.');
  }
  return statements.filter(isStatement);
}

const isStatement = (value: unknown): value is Statement =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isPublic({ Effect, Principal, Condition }: Statement): boolean {
  const principals = isStatement(Principal) ? [Principal.AWS].flat() : [Principal];
  return Effect === 'Allow' && principals.includes('*') && Condition === undefined;
}

const malformed = (message: string) => new ServiceError('MalformedPolicyDocumentException', message);

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
};
