import { expect, it } from 'vitest';
import type { LabEvent } from '../../../../scripts/lab/events.ts';
import { type StepNews, StepReporter } from '../../../../scripts/lab/step-news.ts';

const at = new Date(0);
const versionId = 'v1';
const rotation = { at, secretArn: 'arn', secretName: 'shop', versionId, kind: 'rotation', attempt: 1 } as const;

/** What is told of a step that ended, after the function had written these members to its log. */
function told(
  step: 'createSecret' | 'setSecret',
  members: Record<string, unknown>,
  error?: { errorType: string; errorMessage: string },
): StepNews | undefined {
  const reporter = new StepReporter();
  const line = JSON.stringify({ step, version_id: versionId, ...members });
  const from = { functionName: 'f', logStream: 'l', requestId: 'r', stream: 'stdout' } as const;
  const log: LabEvent = { type: 'log-line', at, ...from, line };
  const end: LabEvent = error
    ? { ...rotation, type: 'step-ended', step, ms: 5, outcome: 'failed', error }
    : { ...rotation, type: 'step-ended', step, ms: 5, outcome: 'succeeded' };
  expect(reporter.read(log)).toBeUndefined();
  return reporter.read(end);
}

it.each([
  ['single-user', 'done', 'current', 'logged in with AWSCURRENT, set the new password'],
  ['single-user', 'done', 'previous', 'logged in with AWSPREVIOUS, set the new password'],
  ['single-user', 'done', 'unlabelled', 'logged in with a version that has lost its label, set the new password'],
  ['single-user', 'already-done', 'pending', 'an earlier attempt has set the password: the server accepts it'],
  ['alternating-users', 'done', 'superuser', "as the administrator, set the other login's password"],
  ['single-user', 'already-current', undefined, 'nothing left to do: the version is AWSCURRENT'],
])('tells what setSecret did: %s, %s with %s', (strategy, outcome, credential, words) => {
  expect(told('setSecret', { strategy, outcome, credential })?.words).toBe(words);
});

it('tells why a step failed, and what to do', () => {
  const error = { errorType: 'RotationError', errorMessage: 'It was refused.' };
  const members = { outcome: 'failed', error_code: 'NO_WORKING_PASSWORD', remedy: 'Set it.' };
  expect(told('setSecret', members, error)?.failure).toEqual({
    code: 'NO_WORKING_PASSWORD',
    message: 'It was refused.',
    remedy: 'Set it.',
  });
});

it('tells of a function that ended without a word', () => {
  const error = { errorType: 'Runtime.ExitError', errorMessage: 'exit status 1' };
  expect(told('createSecret', {}, error)?.failure).toEqual({ code: 'Runtime.ExitError', message: 'exit status 1' });
  expect(told('createSecret', {})?.words).toBe('succeeded');
});
