/** What `--fix` may repair: only labels, and only where nothing that works can stop working. */
import { UpdateSecretVersionStageCommand } from '@aws-sdk/client-secrets-manager';
import { versionWith } from '../../shared/rotation/version-stage.ts';
import { shortId } from '../../shared/terminal/text.ts';
import type { Context } from '../context.ts';
import { asking } from '../failures.ts';
import type { LoginProof } from '../login.ts';
import { LONGEST_STEP_MS } from '../pending-version.ts';
import type { Check } from './finding.ts';
import { judgementOf, type LabelFacts } from './secret-checks.ts';

export interface Fix {
  readonly name: 'take-off-pending' | 'promote-pending' | 'restore-previous';
  /** The question to the operator, which says what it is good for. */
  readonly question: string;
  /** The check that it mends. */
  readonly mends: readonly Check[];
  readonly stage: 'AWSPENDING' | 'AWSCURRENT';
  readonly from: string;
  readonly to: string | undefined;
}

export interface FixFacts {
  readonly labels: LabelFacts;
  /** Undefined where no login was tried. */
  readonly current: LoginProof | undefined;
  /** Undefined too where it is for another server or for none of the same two users. */
  readonly pending: LoginProof | undefined;
  readonly previous: LoginProof | undefined;
}

/** Pure. @returns the repair that is safe now, or from when on there is one. */
export function planRepair(facts: FixFacts, now: Date): { readonly fix?: Fix; readonly waitsUntil?: Date } {
  const fix = planFix(facts, now);
  if (fix !== undefined) return { fix };
  const since = facts.labels.pending?.since;
  if (since === undefined) return {};
  // Until then a step may be running, which expects the labels to be as they are.
  const waitsUntil = new Date(since.getTime() + LONGEST_STEP_MS + 1);
  return planFix(facts, waitsUntil) === undefined ? {} : { waitsUntil };
}

function planFix(facts: FixFacts, now: Date): Fix | undefined {
  const { labels } = facts;
  const from = versionWith(labels.stages, 'AWSCURRENT');
  if (from === undefined) return undefined;
  // After a failure nobody is at work until the service tries again, which finds the label where a success would put it.
  const idle =
    labels.pending === undefined || labels.failure !== undefined || judgementOf(labels, now)?.mayBeCleared === true;
  if (facts.current?.outcome === 'refused' && idle) {
    const move = moveCurrent(facts, from);
    if (move !== undefined) return move;
  }
  return takePendingOff(facts, now);
}

/** To where the login was just proven: applications are refused now, and let in then. */
function moveCurrent({ labels: { stages }, pending, previous }: FixFacts, from: string): Fix | undefined {
  const stage = 'AWSCURRENT';
  const [toPending, toPrevious] = [versionWith(stages, 'AWSPENDING'), versionWith(stages, 'AWSPREVIOUS')];
  const ask = (label: string, to: string) =>
    `The server accepts ${label}'s password and refuses AWSCURRENT's. Move AWSCURRENT to version ${shortId(to)}?`;
  if (isFit(pending) && toPending !== undefined) {
    const mends = ['labels', 'login AWSCURRENT'] as const;
    return { name: 'promote-pending', question: ask('AWSPENDING', toPending), mends, stage, from, to: toPending };
  }
  if (isFit(previous) && toPrevious !== undefined) {
    const mends = ['login AWSCURRENT'] as const;
    return { name: 'restore-previous', question: ask('AWSPREVIOUS', toPrevious), mends, stage, from, to: toPrevious };
  }
  return undefined;
}

const isFit = (proof: LoginProof | undefined) => proof?.outcome === 'accepted' && proof.unfit === undefined;

function takePendingOff({ labels, current }: FixFacts, now: Date): Fix | undefined {
  const { pending: version } = labels;
  const judgement = judgementOf(labels, now);
  if (version === undefined || judgement?.mayBeCleared !== true) return undefined;
  const isRetired = judgement.condition === 'retired';
  // A value may be the only record of a password that the server has: it keeps its label until AWSCURRENT is proven.
  if (version.hasValue && !isRetired && current?.outcome !== 'accepted') return undefined;
  const why = isRetired
    ? 'It is AWSPREVIOUS too, so no rotation will set it, and it keeps that label'
    : version.hasValue
      ? "AWSCURRENT's login works, so nothing depends on it"
      : 'It has no value';
  return {
    name: 'take-off-pending',
    question: `${why}. Take AWSPENDING off version ${shortId(version.versionId)}, so that rotation can start anew?`,
    mends: ['labels'],
    stage: 'AWSPENDING',
    from: version.versionId,
    to: undefined,
  };
}

export async function applyFix({ aws }: Context, secretArn: string, { stage, from, to }: Fix): Promise<void> {
  const command = new UpdateSecretVersionStageCommand({
    SecretId: secretArn,
    VersionStage: stage,
    RemoveFromVersionId: from,
    MoveToVersionId: to,
  });
  await asking('secretsmanager:UpdateSecretVersionStage', aws.secretsManager.send(command));
}
