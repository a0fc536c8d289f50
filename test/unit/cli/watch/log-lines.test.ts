import { describe, expect, it } from 'vitest';
import { parseLine, platformFailure } from '../../../../cli/watch/log-lines.ts';

const line = (members: object) =>
  parseLine(`${JSON.stringify({ step: 'setSecret', version_id: 'v1', ...members })}\n`, 'stream');

describe('a line of a function’s log', () => {
  it('tells that a step began', () => {
    expect(line({ message: 'Rotation step started' }).step).toEqual({
      step: 'setSecret',
      versionId: 'v1',
      end: undefined,
    });
  });

  it('tells what a step did and how long it took', () => {
    const { step } = line({ strategy: 'single-user', outcome: 'done', credential: 'current', duration_ms: 29 });
    expect(step?.end).toMatchObject({
      ms: 29,
      failure: undefined,
      words: 'logged in with AWSCURRENT, set the new password',
    });
  });

  it("tells a failure in the function's own words", () => {
    const failed = {
      outcome: 'failed',
      error_code: 'ROLE_BUSY',
      error_message: 'It was busy.',
      remedy: 'Wait.',
      duration_ms: 7,
    };
    expect(line(failed).step?.end).toEqual({
      ms: 7,
      words: 'It was busy.',
      failure: { step: 'setSecret', code: 'ROLE_BUSY', message: 'It was busy.', remedy: 'Wait.' },
    });
  });

  it.each([
    ['START RequestId: 1 Version: $LATEST'],
    ['{ not json'],
    ['{"_aws":{},"step":"setSecret","StepDuration":3}'],
    ['{"step":"dropTables","version_id":"v1"}'],
  ])('that is none of a step is text: %s', (text) => {
    expect(parseLine(text, 'stream')).toEqual({ text, stream: 'stream', step: undefined });
  });
});

describe("Lambda's own lines", () => {
  it('tell a time-out', () => {
    const failure = platformFailure('2026-01-01T00:00:00Z 1b3f Task timed out after 30.03 seconds', 'setSecret');
    expect(failure).toMatchObject({
      step: 'setSecret',
      code: 'FUNCTION_TIMED_OUT',
      message: expect.stringContaining('30.03 s'),
    });
  });

  it('tell a crash', () => {
    const failure = platformFailure('RequestId: 1b3f Error: Runtime exited with error: signal: killed', 'createSecret');
    expect(failure).toMatchObject({ code: 'FUNCTION_CRASHED', remedy: expect.stringContaining('memory') });
  });

  it('tell nothing else', () => {
    expect(platformFailure('END RequestId: 1b3f', 'setSecret')).toBeUndefined();
  });
});
