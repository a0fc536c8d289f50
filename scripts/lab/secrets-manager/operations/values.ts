import type { Input } from '../../http/input.ts';
import { ServiceError } from '../../http/service.ts';
import { identify } from '../description.ts';
import { invalidParameter, invalidRequest, stageNotFound, versionNotFound } from '../errors.ts';
import { parseFilters, passes } from '../filters.ts';
import { CURRENT, sortedStages, type Version, versionAt, versionById } from '../labels.ts';
import { type Answer, epochSeconds, type Operation, type OperationCall, type OperationTable } from '../operation.ts';
import { page } from '../paging.ts';
import { putValue, recordRead, refuseChange, refuseIfDeleted, refuseIfManaged, type Secret } from '../secret.ts';
import { missingValue, requiredToken, secretId, secretValue, stageName, versionId } from '../validate.ts';

const MAX_BATCH = 20;
const ROTATION_TOKEN = { min: 36, max: 256, pattern: /^[a-zA-Z0-9-]+$/ };

const getSecretValue: Operation = (input, call) => {
  const id = secretId(input);
  const wanted = { versionId: versionId(input, 'VersionId'), stage: stageName(input, 'VersionStage') };
  return read(call.state.get(call.region, id), wanted, call);
};

interface WantedVersion {
  versionId?: string | undefined;
  stage?: string | undefined;
}

function read(secret: Secret, wanted: WantedVersion, call: OperationCall): Answer {
  refuseIfDeleted(secret);
  const version = select(secret, wanted);
  if (!version.value || call.faults.hides(version.id)) {
    throw wanted.versionId === undefined ? stageNotFound(wanted.stage ?? CURRENT) : versionNotFound(version.id);
  }
  recordRead(secret, version, call.now);
  return {
    ...identify(secret),
    VersionId: version.id,
    ...version.value,
    // A version without a label can be read by its id, and then has none to show.
    VersionStages: version.stages.size > 0 ? sortedStages(version) : undefined,
    CreatedDate: epochSeconds(version.createdAt),
  };
}

function select({ content: { versions } }: Secret, wanted: WantedVersion): Version {
  if (wanted.versionId === undefined) {
    const stage = wanted.stage ?? CURRENT;
    const version = versionAt(versions, stage);
    if (!version) throw stageNotFound(stage);
    return version;
  }
  const version = versionById(versions, wanted.versionId);
  if (!version) throw versionNotFound(wanted.versionId);
  if (wanted.stage !== undefined && !version.stages.has(wanted.stage)) {
    throw invalidRequest('You provided a VersionStage that is not associated to the provided VersionId.');
  }
  return version;
}

const putSecretValue: Operation = (input, call) => {
  const token = requiredToken(input);
  const id = secretId(input);
  const value = secretValue(input);
  if (!value) throw missingValue();
  const stages = input.texts('VersionStages', { min: 1, max: 256, items: { min: 1, max: 20 } });
  // Which rotation a token belongs to matters only across accounts, and the lab has one.
  input.text('RotationToken', ROTATION_TOKEN);
  const secret = call.state.get(call.region, id);
  refuseChange(secret);
  refuseIfManaged(secret);
  const version = putValue(secret, { token, value, stages }, call.now);
  call.faults.versionWritten(version.id, [secret.arn, secret.content.name]);
  if (version.stages.has(CURRENT)) call.rotations.valueChanged(secret);
  return { ...identify(secret), VersionId: version.id, VersionStages: sortedStages(version) };
};

const batchGetSecretValue: Operation = (input, call) => {
  const ids = input.texts('SecretIdList', { min: 1, max: 2048, items: { min: 1, max: MAX_BATCH } });
  const filters = parseFilters(input);
  if ((ids !== undefined) === filters.length > 0) {
    throw invalidParameter("Either 'SecretIdList' or 'Filters' must be provided, but not both.");
  }
  const paging = ['MaxResults', 'NextToken'].find((name) => input.has(name));
  if (ids && paging !== undefined) {
    throw invalidParameter(`'Filters' not specified. 'Filters' must also be specified when '${paging}' is provided.`);
  }
  return ids ? readAll(ids, call) : readFiltered(input, call);
};

function readFiltered(input: Input, call: OperationCall): Answer {
  const filters = parseFilters(input);
  const found = call.state
    .list(call.region)
    .filter((secret) => !secret.content.deletionDate && passes(secret, filters));
  const { items, NextToken } = page(input, 'BatchGetSecretValue', found, MAX_BATCH);
  return {
    ...readAll(
      items.map((secret) => secret.arn),
      call,
    ),
    NextToken,
  };
}

function readAll(ids: readonly string[], call: OperationCall): Answer {
  const SecretValues: Answer[] = [];
  const Errors: Answer[] = [];
  for (const id of ids) {
    try {
      SecretValues.push(read(call.state.get(call.region, id), {}, call));
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      Errors.push({ SecretId: id, ErrorCode: error.type, Message: error.message });
    }
  }
  return { SecretValues, Errors };
}

export const values: OperationTable = {
  GetSecretValue: getSecretValue,
  BatchGetSecretValue: batchGetSecretValue,
  PutSecretValue: putSecretValue,
};
