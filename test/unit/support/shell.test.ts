import { devNull } from 'node:os';
import { expect, it } from 'vitest';
import { forgetShell } from '../../../scripts/lab/shell.ts';

it('tests see no variable that a shell has exported for AWS, PostgreSQL or Node', () => {
  const seen = Object.keys(process.env).filter((name) => /^(AWS_|PG|NODE_OPTIONS$|NODE_USE_ENV_PROXY$)/.test(name));
  expect(seen.sort()).toEqual(['AWS_CONFIG_FILE', 'AWS_EC2_METADATA_DISABLED', 'AWS_SHARED_CREDENTIALS_FILE']);
  expect([process.env.AWS_CONFIG_FILE, process.env.AWS_SHARED_CREDENTIALS_FILE]).toEqual([devNull, devNull]);
});

it('a shell is forgotten, but for what is taken from it by name', () => {
  const environment = { PATH: '/bin', PGPASSWORD: 'p', AWS_PROFILE: 'me', NODE_OPTIONS: '--inspect', NODE_ENV: 'test' };
  const { PGPASSWORD } = forgetShell(environment);
  expect(PGPASSWORD).toBe('p');
  expect(environment).toMatchObject({ PATH: '/bin', NODE_ENV: 'test' });
  expect(Object.keys(environment)).not.toContain('PGPASSWORD');
  expect(Object.keys(environment)).not.toContain('AWS_PROFILE');
  expect(Object.keys(environment)).not.toContain('NODE_OPTIONS');
});
