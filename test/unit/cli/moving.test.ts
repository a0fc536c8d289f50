import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { age } from '../../../cli/commands/now-selection.ts';
import { wayToCall } from '../../../cli/invocation.ts';
import { moveAll } from '../../../cli/moving/move.ts';
import { type Move, MoveRecord, readRecord } from '../../../cli/moving/record.ts';

const folder = await mkdtemp(join(tmpdir(), 'moves-'));
afterAll(async () => await rm(folder, { recursive: true }));

const move = (secretArn: string): Move => ({
  secretArn,
  name: 'shop',
  before: { functionArn: 'theirs', rules: { AutomaticallyAfterDays: 30 } },
  after: { functionArn: 'ours', rules: { ScheduleExpression: 'rate(10 days)' } },
});

describe('the record of a move', () => {
  it('has how all were before the first is changed, and is for its owner alone', async () => {
    const path = join(folder, 'a.jsonl');
    const record = new MoveRecord(path, [move('a'), move('b')]);
    record.note('a', 'attached');
    expect(readRecord(path)).toEqual([move('a'), move('b')]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, 'utf8')).toMatch(/"outcome":"attached"/);
  });

  it('overwrites no file, and is no other', () => {
    const path = join(folder, 'b.jsonl');
    new MoveRecord(path, []);
    expect(() => new MoveRecord(path, [])).toThrow(/EEXIST/);
    expect(() => readRecord('package.json')).toThrow(/can't be read/);
    expect(() => readRecord(join(folder, 'none'))).toThrow(/ENOENT/);
  });
});

describe('moving many', () => {
  const context = { signal: new AbortController().signal } as Parameters<typeof moveAll>[0];
  const failing = () => Promise.reject(new Error('no'));

  it('begins no more after so many failures', async () => {
    const told: string[] = [];
    const limits = { atOnce: 1, stopAfter: 2 };
    const outcomes = await moveAll(context, ['a', 'b', 'c', 'd'], limits, failing, (item) => told.push(item));
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['refused', 'refused', 'not-started', 'not-started']);
    expect(told).toEqual(['a', 'b']);
  });
});

describe('an age', () => {
  it.each([
    ['30d', 2_592_000_000],
    ['12h', 43_200_000],
  ])('%s is %i ms', (text, ms) => {
    expect(age(text)).toBe(ms);
  });

  it.each(['30', 'd', '1w', '-1d'])('is not %s', (text) => {
    expect(() => age(text)).toThrow('An age such as 30d');
  });
});

describe('how the command is called', () => {
  it('is told where it is not on PATH', () => {
    expect(wayToCall({ PATH: folder })).toMatch(/^`\/.*bin\/rotation\.mjs`$/);
    expect(wayToCall({ PATH: '', npm_lifecycle_event: 'rotation' })).toBe('`npm run rotation --`');
  });
});
