/** What `--fix` may repair: only labels, and only where nothing that works can stop working. */
import { UpdateSecretVersionStageCommand } from '@aws-sdk/client-secrets-manager';
import { versionWith } from '../../../shared/rotation/version-stage.ts';
import { shortId } from '../../lab/command/text.ts';
import type { Context } from '../context.ts';
import { asking } from '../failures.ts';
import type { LoginProof } from '../login.ts';
import { isStuck, type LabelFacts } from './secret-checks.ts';

export interface Fix {
  readonly name: 'take-off-pending' | 'promote-pending';
  /** The question to the operator, which says what it is good for. */
  readonly question: string;
  /** The check that it mends. */
  readonly mends: readonly string[];
  readonly stage: 'AWSPENDING' | 'AWSCURRENT';
  readonly from: string;
  readonly to: string | undefined;
}

export interface FixFacts {
  readonly labels: LabelFacts;
  /** Undefined where no login was tried. */
  readonly current: LoginProof | undefined;
  readonly pending: LoginProof | undefined;
  /** Whether AWSPENDING is for the user and server of AWSCURRENT. */
  readonly sameLogin: boolean;
}

/** Pure. @returns the repair that is safe, if there is one. */
export function planFix({ labels, current, pending, sameLogin }: FixFacts, now: Date): Fix | undefined {
  const from = versionWith(labels.stages, 'AWSCURRENT');
  const version = labels.pending;
  if (from === undefined || version === undefined || !isStuck(labels, now)) return undefined;
  const id = shortId(version.versionId);
  if (current?.outcome === 'refused' && pending?.outcome === 'accepted' && sameLogin) {
    return {
      name: 'promote-pending',
      question: `The server accepts AWSPENDING's password and no longer AWSCURRENT's. Move AWSCURRENT to version ${id}?`,
      mends: ['labels', 'login AWSCURRENT'],
      stage: 'AWSCURRENT',
      from,
      to: version.versionId,
    };
  }
  // A value may be the only record of a password that the server has: it keeps its label until AWSCURRENT is proven.
  if (version.hasValue && current?.outcome !== 'accepted') return undefined;
  const why = version.hasValue ? "AWSCURRENT's login works, so nothing depends on it" : 'It has no value';
  return {
    name: 'take-off-pending',
    question: `${why}. Take AWSPENDING off version ${id}, so that rotation can start anew?`,
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
