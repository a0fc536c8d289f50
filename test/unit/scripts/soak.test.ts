import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const SOAK = fileURLToPath(new URL('../../../scripts/soak.ts', import.meta.url));
const soak = (argument: string) => spawnSync(process.execPath, [SOAK, argument], { encoding: 'utf8' });

it('npm run test:soak -- --help says how it is used', () => {
  const { status, stdout, stderr } = soak('--help');
  expect(stdout).toMatch(/^Usage: npm run test:soak -- \[options\] \[minutes\]\n/);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

it('npm run test:soak refuses what are no minutes', () => {
  const { status, stderr } = soak('long');
  expect(stderr).toMatch(/^The minutes of the model check were needed, such as: npm run test:soak -- 30\.\n/);
  expect(status).toBe(2);
});
