/** How Secrets Manager refuses: always with HTTP 400 unless it is the service's own failure. */
import { ServiceError } from '../http/service.ts';

export const invalidParameter = (message: string) => new ServiceError('InvalidParameterException', message);
export const invalidRequest = (message: string) => new ServiceError('InvalidRequestException', message);
const notFound = (message: string) => new ServiceError('ResourceNotFoundException', message);
export const exists = (message: string) => new ServiceError('ResourceExistsException', message);
export const limitExceeded = (message: string) => new ServiceError('LimitExceededException', message);

export const secretNotFound = () => notFound("Secrets Manager can't find the specified secret.");

export const versionNotFound = (versionId: string) =>
  notFound(`Secrets Manager can't find the specified secret value for VersionId: ${versionId}`);

export const stageNotFound = (stage: string) =>
  notFound(`Secrets Manager can't find the specified secret value for staging label: ${stage}`);

export const markedForDeletion = () =>
  invalidRequest("You can't perform this operation on the secret because it was marked for deletion.");

export const tokenInUse = (token: string, arn: string) =>
  exists(
    `You can't use ClientRequestToken ${token} because that value is already in use for a version of secret ${arn}.`,
  );
