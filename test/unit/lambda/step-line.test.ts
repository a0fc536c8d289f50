/** What the observer writes is what the command and the lab read: both ends of one line of the log. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RotationError } from '../../../shared/errors.ts';
import { stepObserver } from '../../../shared/lambda/observer.ts';
import { parseLogLine, type StepLine, wordsFor } from '../../../shared/lambda/step-line.ts';
import type { RotationEvent, Step } from '../../../shared/rotation/event.ts';
import type { StepReport } from '../../../shared/rotation/steps.ts';
import type { StrategyName } from '../../../shared/rotation/strategy.ts';

const lines: string[] = [];

beforeEach(() => {
  lines.length = 0;
  // So that the logger writes to the console that is watched here.
  vi.stubEnv('POWERTOOLS_DEV', 'true');
  for (const method of ['info', 'error', 'log'] as const) {
    vi.spyOn(console, method).mockImplementation((line: string) => void lines.push(line));
  }
});

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const eventOf = (step: Step): RotationEvent => ({ step, secretArn: 'arn:secret', versionId: 'v1' });

/** What is read of the line that ends a step. */
function written(): StepLine | undefined {
  const ends = lines.map((line) => parseLogLine(line)?.step).filter((step) => step?.outcome !== undefined);
  expect(ends).toHaveLength(1);
  return ends[0];
}

describe('the line that ends a step', () => {
  it('says how long the step has waited, and for what', () => {
    const waited = { ms: 1_234, for: ['DATABASE_UNREACHABLE', 'DATABASE_UNAVAILABLE'] } as const;
    stepObserver('single-user').succeeded(eventOf('setSecret'), { outcome: 'done', waited }, 2_000);
    expect(lines.map((line) => JSON.parse(line)).find(({ outcome }) => outcome !== undefined)).toMatchObject({
      waited_ms: 1_234,
      waited_for: 'DATABASE_UNREACHABLE, DATABASE_UNAVAILABLE',
    });
  });

  it('says so where it failed after that, in words too', () => {
    const error = new RotationError('DATABASE_FULL', 'A session was needed, and there was none.', { remedy: 'Wait.' });
    stepObserver('single-user').failed(error.afterWaiting(19_960, ['DATABASE_FULL']), 20_000);
    expect(lines.map((line) => JSON.parse(line)).find(({ outcome }) => outcome !== undefined)).toMatchObject({
      error_message: 'A session was needed, and there was none, after 20.0 s of waiting (DATABASE_FULL).',
      waited_ms: 19_960,
      waited_for: 'DATABASE_FULL',
    });
  });

  it.each<[StrategyName, Step, StepReport, string]>([
    ['single-user', 'createSecret', { outcome: 'done' }, 'made a new password, stored it as AWSPENDING'],
    [
      'alternating-users',
      'createSecret',
      { outcome: 'done' },
      'logged in with AWSCURRENT, stored the other login as AWSPENDING',
    ],
    ['single-user', 'createSecret', { outcome: 'already-done' }, 'an earlier attempt has stored AWSPENDING: kept it'],
    [
      'single-user',
      'setSecret',
      { outcome: 'done', credential: 'previous' },
      'logged in with AWSPREVIOUS, set the new password',
    ],
    [
      'single-user',
      'setSecret',
      { outcome: 'done', credential: 'current', promoted: true },
      'logged in with AWSCURRENT, set the new password, moved AWSCURRENT to it',
    ],
    [
      'single-user',
      'setSecret',
      { outcome: 'already-done', credential: 'pending', promoted: true },
      'an earlier attempt has set the password: the server accepts it, moved AWSCURRENT to it',
    ],
    ['single-user', 'testSecret', { outcome: 'done', credential: 'pending' }, 'logged in with AWSPENDING'],
    ['single-user', 'finishSecret', { outcome: 'done' }, 'moved AWSCURRENT to the new version'],
    [
      'alternating-users',
      'finishSecret',
      { outcome: 'already-current' },
      'nothing left to do: the version is AWSCURRENT',
    ],
  ])('of %s, %s %j', (strategy, step, report, words) => {
    stepObserver(strategy).succeeded(eventOf(step), report, 12.3);
    expect(written()).toMatchObject({ strategy, step, secret_arn: 'arn:secret', version_id: 'v1' });
    expect(wordsFor(step, written())).toBe(words);
  });

  it('has code and remedy of a failure', () => {
    const error = new RotationError('ROLE_BUSY', 'The role was needed, and it was busy.', {
      remedy: 'Wait.',
      step: 'setSecret',
      versionId: 'v1',
    });
    stepObserver('single-user').failed(error, 5);
    expect(written()).toMatchObject({
      outcome: 'failed',
      step: 'setSecret',
      version_id: 'v1',
      error_code: 'ROLE_BUSY',
      error_message: 'The role was needed, and it was busy.',
      remedy: 'Wait.',
    });
  });
});

describe('a line that is none of ours', () => {
  it.each(['START RequestId: 1', '{"cut off', ''])('is none: %j', (line) => {
    expect(parseLogLine(line)).toBeUndefined();
  });

  it('has its level and message, whatever else is in it', () => {
    const line = parseLogLine('{"level":"INFO","message":7,"n":1}');
    expect(line).toMatchObject({ level: 'INFO', message: undefined, isMetric: false, step: undefined });
  });

  it('may be a metric, whose dimensions are no step', () => {
    const metric = '{"_aws":{},"strategy":"single-user","step":"setSecret","version_id":"v1"}';
    expect(parseLogLine(metric)).toMatchObject({ isMetric: true, step: undefined });
  });
});
