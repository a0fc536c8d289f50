import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { plotsOf } from '../../../../scripts/bench/plots.ts';

const PLOTS = new URL('../../../../docs/plots/', import.meta.url);

it.each(['steps', 'cold-start', 'scale', 'fleet'])('docs/plots/%s.svg shows the results beside it', (name) => {
  const results = JSON.parse(readFileSync(new URL('results.json', PLOTS), 'utf8'));
  expect(readFileSync(new URL(`${name}.svg`, PLOTS), 'utf8')).toBe(plotsOf(results)[name]);
});

it('draws nothing of what was not measured', () => {
  expect(plotsOf({})).toEqual({});
});
