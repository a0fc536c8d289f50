import { expect, it } from 'vitest';
import { Page } from '../../../../scripts/demo/page.ts';

it('counts checks, and keeps what did not hold', () => {
  const lines: string[] = [];
  const page = new Page((text) => lines.push(text));
  page.check('the sun rises', true);
  page.check('nobody was refused', false, '2 × 28P01');
  expect(page.checks).toBe(2);
  expect(page.failed).toEqual(['nobody was refused (found: 2 × 28P01)']);
  expect(lines).toEqual(['  ✓ the sun rises', '  ✗ nobody was refused (found: 2 × 28P01)']);
});

it('shows labels before and after, by version', () => {
  const lines: string[] = [];
  const page = new Page((text) => lines.push(text));
  const version = (...labels: string[]) => ({ labels, username: 'app' });
  page.versions({
    before: new Map([['11111111-a', version('AWSCURRENT')]]),
    after: new Map([
      ['11111111-a', version('AWSPREVIOUS')],
      ['22222222-b', version('AWSCURRENT', 'AWSPENDING')],
    ]),
  });
  expect(lines.join('\n').split('\n')).toEqual([
    '  version   login  before      after',
    '  11111111  app    AWSCURRENT  AWSPREVIOUS',
    '  22222222  app    –           AWSCURRENT AWSPENDING',
    '',
  ]);
});
