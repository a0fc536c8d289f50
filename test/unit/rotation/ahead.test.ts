import { describe, expect, it } from 'vitest';
import { alternatingUsers } from '../../../shared/rotation/alternating-users.ts';
import { ADMIN_ARN, ARN, FakeRotation, V1 } from '../../support/fake-rotation.ts';
import { failure } from '../../support/fake-server.ts';

describe('what is begun ahead', () => {
  /** Hints that a step gives, in order, and the end of what nobody wanted. */
  async function hints(rotation: FakeRotation, step: 'createSecret' | 'setSecret'): Promise<string[]> {
    const given: string[] = [];
    rotation.between = (database) => ({
      ...database,
      ahead: ({ source, ...other }) => given.push(`${source} ${'versionId' in other ? other.versionId : ''}`),
      settled: async () => void given.push('settled'),
    });
    await rotation.step(step).catch(() => undefined);
    return given;
  }

  it("is AWSCURRENT's login, and what nobody wanted is ended, however the step ends", async () => {
    const rotation = new FakeRotation();
    expect(await hints(rotation, 'createSecret')).toEqual([`current ${V1}`, 'settled']);
    expect(await hints(rotation, 'setSecret')).toEqual([`current ${V1}`, 'settled']);
    expect(await hints(rotation.anew(), 'setSecret')).toEqual([`current ${V1}`, 'settled']);
    rotation.server.refuseAll(failure('TLS_FAILED'));
    expect(await hints(rotation, 'createSecret')).toEqual([`current ${V1}`, 'settled']);
    rotation.secrets.before = (call) => {
      if (call === 'GetSecretValue AWSCURRENT') throw failure('SECRET_KEY_UNUSABLE');
    };
    expect(await hints(rotation, 'createSecret')).toEqual(['settled']);
    expect(await hints(rotation, 'setSecret')).toEqual(['settled']);
  });

  it('is no login of AWSCURRENT where another version has logged in of late', async () => {
    const rotation = new FakeRotation();
    rotation.logins.add(ARN, 'v0', { source: 'previous', scram: true });
    expect(await hints(rotation, 'setSecret')).toEqual(['settled']);
  });

  it("is the superuser secret's value, where this instance knows which secret that is", async () => {
    const rotation = new FakeRotation(alternatingUsers);
    expect(await hints(rotation, 'createSecret')).toEqual([`current ${V1}`, 'settled']);
    expect(rotation.ahead).toEqual([]);
    // The administrator's login comes first then, and which password it is with nobody knows yet.
    expect(await hints(rotation, 'setSecret')).toEqual(['settled']);
    expect(rotation.ahead).toEqual([ADMIN_ARN]);
    await hints(rotation.anew(), 'setSecret');
    expect(rotation.ahead).toEqual([ADMIN_ARN]);
  });
});
