import type { Operation, OperationTable } from '../operation.ts';
import { refuseChange } from '../secret.ts';
import { checkTagCount, readTags } from '../tags.ts';
import { secretId } from '../validate.ts';

const tagResource: Operation = (input, call) => {
  const id = secretId(input);
  input.required('Tags');
  const added = readTags(input) ?? [];
  const secret = call.state.get(call.region, id);
  refuseChange(secret);
  const tags = new Map([...(secret.content.tags ?? []), ...added]);
  checkTagCount(tags.size);
  secret.content.tags = tags;
  secret.content.lastChanged = call.now;
  return {};
};

const untagResource: Operation = (input, call) => {
  const id = secretId(input);
  input.required('TagKeys');
  const keys = input.texts('TagKeys', { min: 1, max: 128 }) ?? [];
  const secret = call.state.get(call.region, id);
  refuseChange(secret);
  for (const key of keys) secret.content.tags?.delete(key);
  secret.content.lastChanged = call.now;
  return {};
};

export const tagging: OperationTable = { TagResource: tagResource, UntagResource: untagResource };
