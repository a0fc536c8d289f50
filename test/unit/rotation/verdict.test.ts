import { describe, expect, it } from 'vitest';
import { RotationError } from '../../../shared/errors.ts';
import { verdictOn } from '../../../shared/rotation/version-read.ts';
import { ManualDeadline, secretText, TOKEN, V1 } from '../../support/fake-rotation.ts';
import { FakeSecrets } from '../../support/fake-secrets.ts';

const secrets = () => new FakeSecrets().put(V1, secretText(), 'AWSCURRENT').put(TOKEN, undefined, 'AWSPENDING');

describe("the guard's verdict", () => {
  const verdictAfter = async (
    before: (from: FakeSecrets) => void,
    meanwhile: (from: FakeSecrets) => void,
    late = 1,
  ) => {
    const from = secrets();
    before(from);
    const store = from.store(TOKEN);
    const first = await store.describe();
    from.before = () => {
      if (from.calls.length > late) meanwhile(from);
    };
    const verdict = await verdictOn(
      { store, event: { versionId: TOKEN }, deadline: new ManualDeadline(), sleep: () => Promise.resolve() },
      first,
    ).catch((error: unknown) => error);
    return { verdict, asked: from.calls.length - 1 };
  };
  const pendingAgain = (from: FakeSecrets) => from.label('AWSPENDING', TOKEN);

  it.each<[string, (from: FakeSecrets) => void, (from: FakeSecrets) => void]>([
    ['rotation seems to be off', (from) => from.disable(), (from) => Object.assign(from, { rotationEnabled: true })],
    ['the version seems to be unknown', (from) => from.label('AWSPENDING'), pendingAgain],
    ['the version seems not to be pending', (from) => from.relabel('AWSPENDING', 'AWSOLD'), pendingAgain],
  ])('is asked for again where %s, and the last answer counts', async (_, before, meanwhile) => {
    for (const late of [1, 4]) {
      const { verdict, asked } = await verdictAfter(before, meanwhile, late);
      expect(verdict).toMatchObject({
        rotationEnabled: true,
        stages: { [TOKEN]: expect.arrayContaining(['AWSPENDING']) },
      });
      expect(asked).toBe(late);
    }
    expect((await verdictAfter(before, meanwhile, 5)).verdict).toBeInstanceOf(RotationError);
  });

  it.each([1, 4])('may be in the end that the rotation is over: after %d', async (late) => {
    const over = (from: FakeSecrets) => from.label('AWSCURRENT', TOKEN);
    expect((await verdictAfter((from) => from.label('AWSPENDING'), over, late)).verdict).toBe('already-current');
  });

  it('counts at once where the version is a retired one', async () => {
    const retire = (from: FakeSecrets) => from.label('AWSPREVIOUS', TOKEN);
    const { verdict, asked } = await verdictAfter(retire, () => {});
    expect(verdict).toMatchObject({ code: 'PENDING_RETIRED' });
    expect(asked).toBe(0);
  });
});
