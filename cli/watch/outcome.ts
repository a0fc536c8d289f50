/** What a rotation came to: for programs, and as an exit code. */
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { RotationRun } from './rotate.ts';

/** What a rotation came to, for programs. */
export function summary({ secret, versionId, reattempt, ending, proof, ms }: RotationRun) {
  return {
    secret: secret.Name,
    arn: secret.ARN,
    versionId,
    reattempt,
    outcome: ending.outcome,
    ms: Math.round(ms),
    // What is undefined is not there in JSON.
    failure: ending.outcome === 'failed' ? ending.failure : undefined,
    reason: ending.outcome === 'unknown' ? ending.reason : undefined,
    labels: proof?.labels,
    login: proof && { outcome: proof.login, message: proof.message },
  };
}

export function exitCodeOf({ ending, proof }: Pick<RotationRun, 'ending' | 'proof'>): ExitCode {
  if (ending.outcome === 'unknown') return EXIT.unproven;
  if (ending.outcome !== 'succeeded' || proof?.login === 'refused') return EXIT.unwell;
  return proof?.login === 'not-possible-from-here' ? EXIT.unproven : EXIT.done;
}
