import { expect, test } from 'vitest';
import { planServers } from '../../support/server-plan.ts';

test('the embedded server is what there is when it is asked for', async () => {
  const plan = await planServers({ POSTGRES_SOURCE: 'embedded' });
  expect(plan).toEqual({
    source: 'embedded',
    versions: [18],
    description: expect.stringMatching(/^PostgreSQL: embedded 18\.\d+ \(POSTGRES_SOURCE\)$/),
  });
});

test.each([
  [{ POSTGRES_SOURCE: 'embedded', POSTGRES_VERSIONS: '14,18' }, /asks for 14, which needs containers/],
  [{ POSTGRES_SOURCE: 'embedded', POSTGRES_VERSIONS: '13' }, /must list majors among 14, 15, 16, 17, 18, and has "13"/],
  [{ POSTGRES_SOURCE: 'embedded', POSTGRES_VERSIONS: '16.4' }, /and has "16.4"/],
  [{ POSTGRES_SOURCE: 'embedded', REQUIRE_CONTAINERS: '1' }, /contradicts REQUIRE_CONTAINERS=1/],
  [{ POSTGRES_SOURCE: 'docker' }, /must be embedded or container, and is "docker"/],
])('%j is refused rather than quietly tested on something else', async (environment, message) => {
  await expect(planServers(environment)).rejects.toThrow(message);
});
