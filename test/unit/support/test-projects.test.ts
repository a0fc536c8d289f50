import { expect, test } from 'vitest';
import config from '../../../vitest.config.ts';

test('unit and integration tests take as many workers, without which Vitest begins none on a larger machine', () => {
  const projects = (config.test?.projects ?? []) as { readonly test: { readonly maxWorkers?: number } }[];
  expect(projects.map((project) => project.test.maxWorkers)).toEqual([2, 2]);
});
