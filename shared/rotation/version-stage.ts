import { RotationError } from '../errors.ts';
import { TAKE_PENDING_OFF } from './remedies.ts';

/** Staging labels by version id, as DescribeSecret gives them (VersionIdsToStages). */
export type VersionStages = Readonly<Record<string, readonly string[]>>;

/** What DescribeSecret says that a rotation depends on. */
export interface RotationState {
  /** Undefined where the service did not say: a secret that never had rotation configured. */
  readonly rotationEnabled: boolean | undefined;
  readonly stages: VersionStages;
  /** DescribeSecret goes on answering then, and so is what tells: nothing else that the service is asked for is done. */
  readonly isMarkedForDeletion?: boolean;
}

/**
 * The guard of every step: may this version be worked on? (AWS's contract with a rotation function.)
 *
 * @returns 'proceed', or 'already-current' when an earlier attempt finished and there is nothing left to do.
 * @throws RotationError ROTATION_NOT_ENABLED | VERSION_UNKNOWN | VERSION_NOT_PENDING | PENDING_RETIRED | SECRET_IN_WRONG_STATE
 */
export function decide(state: RotationState, versionId: string): 'proceed' | 'already-current' {
  if (state.rotationEnabled === false) {
    throw new RotationError('ROTATION_NOT_ENABLED', 'Rotation must be enabled for the secret, and it is not.', {
      remedy:
        'Turn rotation on: aws secretsmanager rotate-secret --secret-id {secretArn} --rotation-lambda-arn … --rotation-rules …',
    });
  }
  const labels = stagesOf(state.stages, versionId);
  if (labels === undefined) {
    // DescribeSecret lists no version without a label, so one that has lost its label looks as if it had never been.
    throw new RotationError(
      'VERSION_UNKNOWN',
      'The version to rotate to must exist in the secret and have a staging label, and there is none such.',
      {
        remedy:
          'This rotation was cancelled or replaced, or never begun; start one with `aws secretsmanager rotate-secret --secret-id {secretArn}`.',
      },
    );
  }
  if (labels.includes('AWSCURRENT')) return 'already-current';
  if (!labels.includes('AWSPENDING')) {
    throw new RotationError(
      'VERSION_NOT_PENDING',
      'The version to rotate to must be labelled AWSPENDING, and it is not.',
      {
        remedy:
          'This rotation was cancelled or replaced; start another with `aws secretsmanager rotate-secret --secret-id {secretArn}`.',
      },
    );
  }
  // After a rollback the service may take this version up again; its password was given out, and then replaced.
  if (labels.includes('AWSPREVIOUS')) {
    throw new RotationError(
      'PENDING_RETIRED',
      'The version to rotate to must be a new one, and it is AWSPREVIOUS too: its password is a retired one.',
      {
        remedy: `${TAKE_PENDING_OFF}; then rotate again (rotation doctor --fix does the first).`,
      },
    );
  }
  // Its password would be replaced, and AWSCURRENT could not be moved to the new one.
  if (state.isMarkedForDeletion) {
    throw new RotationError(
      'SECRET_IN_WRONG_STATE',
      'A secret that is not marked for deletion was needed, and this one is.',
      {
        remedy:
          'If it is still wanted: aws secretsmanager restore-secret --secret-id {secretArn}; then the same rotation goes on.',
      },
    );
  }
  return 'proceed';
}

/** What Redshift tags the secrets with whose passwords it makes and rotates itself (its management guide). */
const REDSHIFT_TAGS = ['aws:redshift:primaryclusterarn', 'aws:redshift-serverless:namespacearn'];

/** @throws RotationError SECRET_MANAGED */
export function needUnmanaged({ tags }: { readonly tags: Readonly<Record<string, string>> }): void {
  const tag = Object.keys(tags).find((key) => REDSHIFT_TAGS.includes(key.toLowerCase()));
  if (tag === undefined) return;
  throw new RotationError(
    'SECRET_MANAGED',
    `A secret that no service manages was needed, and Amazon Redshift manages this one (its tag ${tag}).`,
    {
      remedy:
        "Let Redshift rotate it, or have the cluster's administrator take a password of your own (aws redshift modify-cluster --no-manage-master-password …) and store that login in another secret.",
    },
  );
}

/** The version that holds a label, or undefined where none does. */
export function versionWith(stages: VersionStages, label: string): string | undefined {
  return Object.entries(stages).find(([, labels]) => labels.includes(label))?.[0];
}

function stagesOf(stages: VersionStages, versionId: string): readonly string[] | undefined {
  return Object.hasOwn(stages, versionId) ? stages[versionId] : undefined;
}

/** Whether some version is on its way to becoming current. */
export function isAnyPending(stages: VersionStages): boolean {
  return Object.values(stages).some((labels) => labels.includes('AWSPENDING') && !labels.includes('AWSCURRENT'));
}
