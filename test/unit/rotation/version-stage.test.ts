import { describe, expect, it } from 'vitest';
import {
  decide,
  isAnyPending,
  needUnmanaged,
  type VersionStages,
  versionWith,
} from '../../../shared/rotation/version-stage.ts';

const state = (stages: VersionStages, rotationEnabled: boolean | undefined = true) => ({ rotationEnabled, stages });

describe('a step goes on', () => {
  it.each<[string, VersionStages]>([
    ['with the pending version', { new: ['AWSPENDING'], old: ['AWSCURRENT'] }],
    ['with a pending version that has labels of its own too', { new: ['mine', 'AWSPENDING'], old: ['AWSCURRENT'] }],
    ['where nothing is current yet', { new: ['AWSPENDING'] }],
  ])('%s', (_, stages) => {
    expect(decide(state(stages), 'new')).toBe('proceed');
  });

  it('where the service does not say whether rotation is on', () => {
    expect(decide(state({ new: ['AWSPENDING'] }, undefined), 'new')).toBe('proceed');
    expect(decide({ rotationEnabled: undefined, stages: { new: ['AWSPENDING'] } }, 'new')).toBe('proceed');
  });
});

describe('a step has nothing left to do', () => {
  it.each<[string, VersionStages]>([
    ['once the version is current', { new: ['AWSCURRENT'], old: ['AWSPREVIOUS'] }],
    ['while the current version still carries AWSPENDING', { new: ['AWSPENDING', 'AWSCURRENT'], old: ['AWSPREVIOUS'] }],
  ])('%s', (_, stages) => {
    expect(decide(state(stages), 'new')).toBe('already-current');
    expect(decide({ ...state(stages), isMarkedForDeletion: true }, 'new')).toBe('already-current');
  });
});

describe('a step is refused', () => {
  it.each<[string, string, VersionStages]>([
    ['VERSION_UNKNOWN', 'a version that does not exist', { old: ['AWSCURRENT'] }],
    ['VERSION_UNKNOWN', 'a secret without versions', {}],
    ['VERSION_NOT_PENDING', 'a version without a label', { new: [], old: ['AWSCURRENT'] }],
    ['VERSION_NOT_PENDING', 'the previous version', { new: ['AWSPREVIOUS'], old: ['AWSCURRENT'] }],
    ['VERSION_NOT_PENDING', 'a version whose label is written otherwise', { new: ['awspending'], old: ['AWSCURRENT'] }],
  ])('with %s for %s', (code, _, stages) => {
    expect(() => decide(state(stages), 'new')).toThrow(expect.objectContaining({ code }));
  });

  it('with SECRET_IN_WRONG_STATE while the secret is marked for deletion', () => {
    const deleted = { ...state({ new: ['AWSPENDING'], old: ['AWSCURRENT'] }), isMarkedForDeletion: true };
    expect(() => decide(deleted, 'new')).toThrow(
      expect.objectContaining({
        code: 'SECRET_IN_WRONG_STATE',
        message: expect.stringMatching(/not marked for deletion was needed/),
        template: expect.stringMatching(/restore-secret --secret-id \{secretArn\}/),
      }),
    );
    expect(decide({ ...deleted, isMarkedForDeletion: false }, 'new')).toBe('proceed');
  });

  it.each<[string, VersionStages, boolean, RegExp, RegExp]>([
    ['rotation is off', {}, false, /must be enabled/, /rotate-secret .*--rotation-lambda-arn/],
    ['there is no such version', {}, true, /must exist/, /start one with `aws secretsmanager rotate-secret/],
    [
      'the version lost AWSPENDING',
      { new: ['mine'] },
      true,
      /labelled AWSPENDING/,
      /start another with `aws .*rotate-/,
    ],
    [
      'it is a retired one',
      { new: ['AWSPENDING', 'AWSPREVIOUS'] },
      true,
      /AWSPREVIOUS too/,
      /^aws .*; then rotate again/,
    ],
  ])('in words that say what to do where %s', (_, stages, enabled, message, remedy) => {
    expect(() => decide(state(stages, enabled), 'new')).toThrow(
      expect.objectContaining({ message: expect.stringMatching(message), remedy: expect.stringMatching(remedy) }),
    );
  });

  it('while rotation is off, even for a version that is current', () => {
    for (const stages of [{ new: ['AWSPENDING'] }, { new: ['AWSCURRENT'] }, {}]) {
      expect(() => decide(state(stages, false), 'new')).toThrow(
        expect.objectContaining({ code: 'ROTATION_NOT_ENABLED' }),
      );
    }
  });

  it('for a token that is the name of something every object has', () => {
    for (const token of ['constructor', '__proto__', 'toString']) {
      expect(() => decide(state({ old: ['AWSCURRENT'] }), token)).toThrow(
        expect.objectContaining({ code: 'VERSION_UNKNOWN' }),
      );
    }
  });
});

describe('the version that holds a label', () => {
  it('is found wherever the label stands', () => {
    expect(versionWith({ a: ['x'], b: ['y', 'AWSCURRENT'] }, 'AWSCURRENT')).toBe('b');
  });

  it('is nothing where no version has it', () => {
    expect(versionWith({ a: ['AWSPENDING'], b: [] }, 'AWSPREVIOUS')).toBeUndefined();
  });
});

describe('a secret that Redshift manages', () => {
  it.each([
    'aws:redshift:primaryClusterArn',
    'aws:redshift-serverless:namespaceArn',
  ])('is known by its tag %s', (tag) => {
    expect(() => needUnmanaged({ tags: { team: 'shop', [tag]: 'arn:…' } })).toThrow(
      expect.objectContaining({
        code: 'SECRET_MANAGED',
        message: expect.stringContaining(`its tag ${tag}`),
        remedy: expect.stringContaining('--no-manage-master-password'),
      }),
    );
  });

  it('is none by any other tag', () => {
    expect(() => needUnmanaged({ tags: {} })).not.toThrow();
    expect(() => needUnmanaged({ tags: { 'aws:cloudformation:stack-name': 'shop', redshift: 'yes' } })).not.toThrow();
  });
});

describe('a rotation is under way', () => {
  it.each<[boolean, VersionStages]>([
    [true, { old: ['AWSCURRENT'], new: ['AWSPENDING'] }],
    [false, { old: ['AWSPREVIOUS'], new: ['AWSCURRENT', 'AWSPENDING'] }],
    [false, { old: ['AWSCURRENT'] }],
    [false, { old: ['AWSPREVIOUS'], new: [] }],
    [false, {}],
  ])('%s: %o', (pending, stages) => {
    expect(isAnyPending(stages)).toBe(pending);
  });
});
