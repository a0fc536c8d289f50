import { expect, test } from 'vitest';
import { startLab } from '../../../scripts/lab/lab.ts';
import { rotate } from '../../../scripts/lab/rotate.ts';

test('the lab serves a stand-in for Amazon Redshift, whose secret rotates', async () => {
  await using lab = await startLab({ redshift: true });
  const warehouse = lab.seed.applications.find(({ secretName }) => secretName === 'lab/warehouse');
  expect(lab.redshift?.port).toBeGreaterThan(0);
  expect(await rotate(lab, warehouse?.secretArn ?? '')).toMatchObject({ succeeded: true });
});
