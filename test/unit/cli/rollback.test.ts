import { describe, expect, it } from 'vitest';
import { planRollback, type RollbackFacts } from '../../../cli/rollback/plan.ts';
import { RotationError } from '../../../shared/errors.ts';
import { parseDatabaseSecret } from '../../../shared/secret/database-secret.ts';

const login = (members: object = {}) =>
  parseDatabaseSecret(JSON.stringify({ engine: 'postgres', host: 'db', username: 'app', password: 'p', ...members }));
const unfit = new RotationError('TWIN_DIFFERS', 'It differs.', { remedy: 'Mend it.' });
const facts: RollbackFacts = {
  name: 'shop',
  strategy: 'single-user',
  current: login(),
  previous: login(),
  pending: undefined,
  proof: { outcome: 'refused' },
  currentProof: { outcome: 'accepted' },
};
const twin: Partial<RollbackFacts> = { strategy: 'alternating-users', previous: login({ username: 'app_clone' }) };

describe('a rollback', () => {
  it.each<[string, Partial<RollbackFacts>, string]>([
    ['sets the password of a single user', {}, 'set-password'],
    ['moves the label to what the server accepts', { proof: { outcome: 'accepted' } }, 'move-label'],
    ['moves it to the other twin', { ...twin, proof: { outcome: 'accepted' } }, 'move-label'],
    [
      "and to that of a user whose own name ends as a twin's",
      {
        strategy: 'alternating-users',
        current: login({ username: 'app_clone_clone' }),
        previous: login({ username: 'app_clone' }),
        proof: { outcome: 'accepted' },
      },
      'move-label',
    ],
    [
      'takes a left-behind AWSPENDING for no hindrance',
      { pending: { condition: 'stuck', mayBeCleared: true } },
      'set-password',
    ],
  ])('%s', (_, more, way) => {
    expect(planRollback({ ...facts, ...more }).way).toBe(way);
  });

  it.each<[string, Partial<RollbackFacts>, string]>([
    ['a rotation runs', { pending: { condition: 'rotating', mayBeCleared: false } }, 'ROTATION_UNDER_WAY'],
    ['a failed one is tried again', { pending: { condition: 'failed', mayBeCleared: false } }, 'ROTATION_UNDER_WAY'],
    ['neither logs in', { currentProof: { outcome: 'refused' } }, 'NO_WORKING_PASSWORD'],
    ['nobody can log in to set it', { currentProof: { outcome: 'failed', error: unfit } }, 'TWIN_DIFFERS'],
    ['it is for another server', { previous: login({ host: 'other' }) }, 'OTHER_LOGIN'],
    ['it is for another user', { previous: login({ username: 'app_clone' }) }, 'OTHER_LOGIN'],
    ['the other twin is refused', twin, 'PREVIOUS_NOT_ACCEPTED'],
    ['it would be refused to rotate', { proof: { outcome: 'accepted', unfit } }, 'TWIN_DIFFERS'],
    ['nobody can tell', { proof: { outcome: 'failed', error: unfit } }, 'TWIN_DIFFERS'],
  ])('is refused where %s', (_, more, code) => {
    const plan = planRollback({ ...facts, ...more });
    expect(plan).toMatchObject({
      way: 'refused',
      error: { code, exitCode: 4, message: expect.stringMatching(/; nothing was changed\.$/) },
    });
  });
});
