/** What a step does about what happens between its calls, and how it fails. */
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { RotationErrorCode } from '../../../shared/errors.ts';
import { STEPS } from '../../../shared/rotation/event.ts';
import { countsRotation } from '../../../shared/rotation/steps.ts';
import { ARN, FakeRotation, only, refusal, secretText, TOKEN, V1 } from '../../support/fake-rotation.ts';
import { failure } from '../../support/fake-server.ts';

const V2 = 'v2'.padEnd(36, '-');

/** At a step, on an instance that remembers nothing. */
async function at(step: (typeof STEPS)[number]): Promise<FakeRotation> {
  const rotation = new FakeRotation();
  for (const earlier of STEPS.slice(0, STEPS.indexOf(step))) await rotation.step(earlier);
  rotation.secrets.calls.length = 0;
  return rotation.anew();
}

/** Reads are answered once DescribeSecret was, and `then` something has happened. */
function readsComeLast({ secrets }: FakeRotation, then: () => void): void {
  const described = Promise.withResolvers<void>();
  secrets.before = async (call) => {
    if (call === 'DescribeSecret') return described.resolve();
    if (!call.startsWith('GetSecretValue')) return;
    await described.promise;
    await setImmediate();
    then();
  };
}

describe('a rotation counts once', () => {
  it.each([
    ['finishSecret', { outcome: 'done' }, true],
    ['finishSecret', { outcome: 'already-current' }, false],
    ['setSecret', { outcome: 'done' }, false],
    ['setSecret', { outcome: 'done', promoted: false }, false],
    ['setSecret', { outcome: 'already-done', promoted: true }, true],
  ] as const)('%s, %o: %s', (step, report, counts) => {
    expect(countsRotation(step, report)).toBe(counts);
  });
});

describe('another instance finishes the rotation', () => {
  it.each([
    'createSecret',
    'finishSecret',
  ] as const)('between two answers to %s, which then has nothing to do', async (step) => {
    const rotation = await at(step);
    rotation.secrets.put(TOKEN, secretText({ password: 'theirs' }));
    const password = rotation.server.passwordOf('app');
    readsComeLast(rotation, () => rotation.secrets.label('AWSCURRENT', TOKEN));
    expect(await rotation.step(step)).toEqual({ outcome: 'already-current' });
    expect(rotation.server.passwordOf('app')).toBe(password);
  });

  it('after somebody else had moved the label for a moment', async () => {
    const rotation = await at('finishSecret');
    const labels = [V1, TOKEN];
    let isMoved = false;
    rotation.secrets.put(V2, secretText());
    rotation.secrets.before = (call) => {
      if (isMoved && call === 'DescribeSecret') rotation.secrets.label('AWSCURRENT', labels.shift());
      if (call !== 'UpdateSecretVersionStage') return;
      isMoved = true;
      rotation.secrets.label('AWSCURRENT', V2);
    };
    expect(await rotation.step('finishSecret')).toEqual({ outcome: 'already-current' });
    expect(labels).toEqual([]);
  });
});

describe('a step is given up', () => {
  it('by finishSecret at the first look that finds AWSCURRENT elsewhere', async () => {
    const rotation = await at('finishSecret');
    rotation.secrets.put(V2, secretText());
    rotation.secrets.before = (call) => {
      if (call === 'UpdateSecretVersionStage') rotation.secrets.label('AWSCURRENT', V2);
    };
    expect(await refusal(rotation.step('finishSecret'))).toMatchObject({ code: 'LABEL_MOVED' });
    expect(rotation.secrets.calls.slice(-2)).toEqual(['UpdateSecretVersionStage', 'DescribeSecret']);
  });

  it('by finishSecret where reads go on answering another AWSCURRENT', async () => {
    const rotation = await at('finishSecret');
    rotation.edit(V2, {});
    rotation.secrets.stale = { versionId: V1, times: 1_000 };
    expect(await refusal(rotation.step('finishSecret'))).toMatchObject({ code: 'LABEL_MOVED' });
    expect(rotation.secrets.with('AWSCURRENT')).toBe(V2);
  });

  it('by setSecret after the fourth move of AWSCURRENT, each waited out for longer', async () => {
    const rotation = await at('setSecret');
    let moves = 0;
    rotation.server.before = (event) => {
      if (event === 'hold') rotation.edit(`moved ${++moves}`.padEnd(36, '-'), {});
    };
    const before = rotation.deadline.left;
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: 'LABEL_MOVED' });
    expect(moves).toBe(4);
    expect(before - rotation.deadline.left).toBe(100 + 200 + 400);
    expect(rotation.server.passwordOf('app')).toBe('old');
  });

  it('only once what it has sent was answered', async () => {
    for (const step of ['createSecret', 'testSecret', 'finishSecret'] as const) {
      const rotation = await at(step);
      rotation.secrets.label('AWSCURRENT', TOKEN);
      let answered = 0;
      readsComeLast(rotation, () => answered++);
      expect(await rotation.step(step)).toEqual({ outcome: 'already-current' });
      expect(answered).toBe(only(rotation.secrets.calls, 'GetSecretValue').length);
    }
  });

  it('before anything is stored for a secret that another service manages', async () => {
    const rotation = await at('createSecret');
    rotation.secrets.tags = { 'aws:redshift:primaryClusterArn': 'arn:…' };
    expect(await refusal(rotation.step('createSecret'))).toMatchObject({ code: 'SECRET_MANAGED' });
    expect(rotation.secrets.textOf(TOKEN)).toBeUndefined();
    expect(rotation.server.events).toEqual([]);
  });
});

describe('what a step fails by', () => {
  it.each([
    'createSecret',
    'testSecret',
    'finishSecret',
  ] as const)('is what DescribeSecret says, before what its reads do: %s', async (step) => {
    const rotation = await at(step);
    rotation.secrets.before = (call) => {
      throw failure(call === 'DescribeSecret' ? 'SECRET_NOT_FOUND' : 'SECRET_KEY_UNUSABLE');
    };
    expect(await refusal(rotation.step(step))).toMatchObject({ code: 'SECRET_NOT_FOUND' });
  });

  it.each<[RotationErrorCode, RotationErrorCode]>([
    ['SECRET_ACCESS_DENIED', 'SECRET_ACCESS_DENIED'],
    ['SECRETS_MANAGER_TIMEOUT', 'TLS_FAILED'],
  ])('is, where setSecret is failing and its look at the rotation meets %s, %s', async (met, told) => {
    const rotation = await at('setSecret');
    rotation.server.refuseAll(failure('TLS_FAILED'));
    rotation.secrets.before = (call) => {
      if (call === 'DescribeSecret') throw failure(met);
    };
    expect(await refusal(rotation.step('setSecret'))).toMatchObject({ code: told });
  });

  it('is a fault of ours, as it was thrown', async () => {
    const thrown = new TypeError('unexpected');
    for (const step of STEPS) {
      const rotation = await at(step);
      rotation.secrets.before = (call) => {
        if (step !== 'setSecret' || call === 'DescribeSecret') throw thrown;
      };
      rotation.server.refuseAll(failure('TLS_FAILED'));
      await expect(rotation.step(step)).rejects.toBe(thrown);
    }
  });

  it('is a fault of ours, after waiting for something else too', async () => {
    const rotation = await at('setSecret');
    const thrown = new TypeError('unexpected');
    let isFirst = true;
    rotation.server.before = () => {
      const wasFirst = isFirst;
      isFirst = false;
      throw wasFirst ? failure('DATABASE_UNREACHABLE') : thrown;
    };
    await expect(rotation.step('setSecret')).rejects.toBe(thrown);
  });

  it('has AWSPENDING taken off before an edit, in setSecret without another look at its value', async () => {
    const rotation = await at('setSecret');
    rotation.server.refuseAll(failure('TLS_REQUIRED'));
    rotation.server.before = () => {
      rotation.secrets.before = (call) => {
        if (call.startsWith('GetSecretValue')) throw failure('SECRETS_MANAGER_TIMEOUT');
      };
    };
    const { code, remedy } = await refusal(rotation.step('setSecret'));
    expect([code, remedy]).toEqual([
      'TLS_REQUIRED',
      expect.stringMatching(/^aws .*AWSPENDING.*, then: Mend TLS_REQUIRED\./),
    ]);
  });

  it('is told as it is, where no value is about to be edited', async () => {
    const rotation = await at('setSecret');
    rotation.server.refuseAll(failure('TLS_FAILED'));
    expect((await refusal(rotation.step('setSecret'))).remedy).toBe('Mend TLS_FAILED.');
  });
});

describe('what an instance remembers of the pending version', () => {
  it.each(['setSecret', 'testSecret'] as const)('is whose it was and how it logged in: %s', async (step) => {
    const rotation = await at(step);
    // As another instance's setSecret left it.
    rotation.server.role('app', 'new-1');
    await rotation.step(step);
    expect(rotation.logins.get(ARN, TOKEN)).toMatchObject({ source: 'pending', scram: true });
  });
});
