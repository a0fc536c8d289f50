/** Staging labels: each sits on one version at most. Pure functions on a secret's versions; the rules are the service's. */
import { invalidParameter, limitExceeded, versionNotFound } from './errors.ts';
import type { SecretValue } from './validate.ts';

export const CURRENT = 'AWSCURRENT';
export const PENDING = 'AWSPENDING';
const PREVIOUS = 'AWSPREVIOUS';
const MAX_LABELS = 20;

export interface Version {
  readonly id: string;
  /** Absent in the version that RotateSecret registers, until createSecret fills it in. */
  value: SecretValue | undefined;
  readonly stages: Set<string>;
  readonly createdAt: Date;
  /** Midnight of the day of the last read. */
  lastAccessed?: Date;
}

export const versionAt = (versions: readonly Version[], stage: string) =>
  versions.find((version) => version.stages.has(stage));

export const versionById = (versions: readonly Version[], id: string) => versions.find((version) => version.id === id);

/** Labels are answered in alphabetical order. */
export const sortedStages = (version: Version) => [...version.stages].sort();

/** Attaches labels to `target`, taking each from the version that has it. AWSPREVIOUS follows AWSCURRENT. */
export function attach(versions: readonly Version[], target: Version, stages: readonly string[]): void {
  checkLabelCount(versions, stages);
  for (const stage of stages) {
    const holder = versionAt(versions, stage);
    if (holder === target) continue;
    holder?.stages.delete(stage);
    target.stages.add(stage);
    if (stage === CURRENT && holder) moveTo(versions, holder, PREVIOUS);
  }
}

/**
 * PutSecretValue or UpdateSecret making a new current version. Recorded from the service: AWSPENDING goes too when it
 * shares a version with the AWSCURRENT that is replaced, and UpdateSecretVersionStage leaves it there.
 */
export function promoteNewValue(versions: readonly Version[], target: Version): void {
  const replaced = versionAt(versions, CURRENT);
  if (replaced && replaced !== target) replaced.stages.delete(PENDING);
  attach(versions, target, [CURRENT]);
}

export interface StageMove {
  stage: string;
  moveTo: string | undefined;
  removeFrom: string | undefined;
}

/** UpdateSecretVersionStage. Nothing changes when it throws. */
export function moveStage(versions: readonly Version[], move: StageMove): void {
  const target = known(versions, move.moveTo);
  const source = known(versions, move.removeFrom);
  if (!target && !source) {
    throw invalidParameter('You must specify MoveToVersionId, RemoveFromVersionId, or both.');
  }
  const holder = versionAt(versions, move.stage);
  checkSource(move, source, holder);
  if (target) {
    attach(versions, target, [move.stage]);
  } else if (move.stage === CURRENT) {
    throw invalidParameter(
      "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.",
    );
  } else {
    holder?.stages.delete(move.stage);
  }
}

function checkSource(move: StageMove, source: Version | undefined, holder: Version | undefined): void {
  const attachedTo = `Staging label ${move.stage} is currently attached to version ${holder?.id}, so you must explicitly reference that version in RemoveFromVersionId.`;
  if (!source && holder && holder.id !== move.moveTo) {
    throw invalidParameter(`The parameter RemoveFromVersionId can't be empty. ${attachedTo}`);
  }
  if (source && holder && source !== holder) {
    throw invalidParameter(`The parameter RemoveFromVersionId names another version. ${attachedTo}`);
  }
  if (source && !holder) {
    throw invalidParameter(`Staging label ${move.stage} is not attached to version ${source.id}.`);
  }
}

function known(versions: readonly Version[], id: string | undefined): Version | undefined {
  if (id === undefined) return undefined;
  const version = versionById(versions, id);
  if (!version) throw versionNotFound(id);
  return version;
}

function moveTo(versions: readonly Version[], target: Version, stage: string): void {
  versionAt(versions, stage)?.stages.delete(stage);
  target.stages.add(stage);
}

function checkLabelCount(versions: readonly Version[], added: readonly string[]): void {
  const labels = new Set([...versions.flatMap((version) => [...version.stages]), ...added]);
  if (labels.size > MAX_LABELS) {
    throw limitExceeded(`A secret can have at most ${MAX_LABELS} staging labels.`);
  }
}
