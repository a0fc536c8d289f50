/** The pure parts of what `rotation` tells of many secrets. */
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { candidates } from '../../../cli/completion/candidates.ts';
import { isNotRotatedSince, moment } from '../../../cli/fleet/age.ts';
import { loginIn, rotatedBy } from '../../../cli/fleet/coverage.ts';
import { csv } from '../../../cli/fleet/csv.ts';
import { combinations, names } from '../../../cli/fleet/places.ts';
import { headline, inOrder, isRowUnwell, type Row, stateOf } from '../../../cli/fleet/row.ts';
import { detailsOf, statusTable } from '../../../cli/fleet/status-table.ts';
import { holdOf, parseReason, refuseHeld } from '../../../cli/hold.ts';
import { ages, windowStart, windowsByHour } from '../../../cli/report/figures.ts';
import { type Condition, moment as shown } from '../../../cli/secret-status.ts';

const NOW = new Date('2026-03-10T12:30:00Z');
const day = (days: number) => new Date(NOW.getTime() - days * 86_400_000);

function row(name: string, condition: Condition, more: Partial<Row> = {}): Row {
  const facts = {
    name,
    arn: `arn:aws:secretsmanager:eu-west-1:123456789012:secret:${name}-AbCdEf`,
    functionArn: 'arn',
    enabled: true,
    strategy: 'single-user' as const,
    username: 'shop',
    unreadable: undefined,
    lastRotated: day(9),
    nextRotation: day(-21),
    deleted: undefined,
    stages: {},
    pending: undefined,
    failure: undefined,
    notice: undefined,
    replicas: [],
  };
  return { facts, condition, login: undefined, place: undefined, ...more };
}

describe('many rows', () => {
  const refused = { outcome: 'refused', why: 'the server refuses it' } as const;
  const rows = [
    row('b', 'ok'),
    row('a', 'ok'),
    row('d', 'overdue'),
    row('c', 'stuck'),
    row('e', 'ok', { login: refused }),
  ];

  it('have the worst on top, the rest by name', () => {
    expect(inOrder(rows).map(({ facts }) => facts.name)).toEqual(['e', 'c', 'd', 'a', 'b']);
  });

  it('are counted, a refused login as locked out', () => {
    expect(headline(rows)).toBe('5 secrets: 3 unwell. 1 locked-out, 1 stuck, 1 overdue, 2 ok.');
    expect(rows.filter(isRowUnwell).map(stateOf)).toEqual(['overdue', 'stuck', 'locked-out']);
  });

  it('fit a terminal of 60 or 80 columns, the state first', () => {
    const long = [row('prod/a-team-with-a-long-name/shop-primary', 'overdue')];
    for (const width of [60, 80, 120]) {
      const lines = [...statusTable(long, width), ...detailsOf(long[0] ?? row('', 'ok'), NOW, width)];
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
      expect(lines[0]).toMatch(/^STATE +SECRET/);
      expect(lines.join(' ')).toContain('rotation doctor');
    }
    expect(statusTable(long, undefined)[1]).toContain(shown(day(9)));
  });

  it('are CSV that a spreadsheet takes for text', () => {
    expect(csv([{ a: '=1+1', b: 'x "y", z', c: null, d: true, e: NOW }], ['a', 'b', 'c', 'd', 'e'])).toBe(
      `a,b,c,d,e\n'=1+1,"x ""y"", z",,true,2026-03-10T12:30:00.000Z\n`,
    );
  });
});

it('reads times such as 30d, 12h and dates, and nothing else', () => {
  expect(moment('30d', NOW)).toEqual(day(30));
  expect(moment('12h', NOW)).toEqual(day(0.5));
  expect(moment('2026-01-31', NOW)).toEqual(new Date('2026-01-31T00:00:00Z'));
  for (const text of ['30', 'yesterday', '2026-13-01', '']) expect(() => moment(text, NOW)).toThrow('was needed');
  expect([isNotRotatedSince(undefined, day(9)), isNotRotatedSince(day(8), day(9))]).toEqual([true, false]);
});

it('asks every region by every profile', () => {
  expect(combinations({ regions: names('eu-west-1, us-east-1,eu-west-1'), profiles: ['a', 'b'] })).toEqual([
    ...[
      { profile: 'a', region: 'eu-west-1' },
      { profile: 'a', region: 'us-east-1' },
    ],
    ...[
      { profile: 'b', region: 'eu-west-1' },
      { profile: 'b', region: 'us-east-1' },
    ],
  ]);
  expect(combinations({})).toEqual([{}]);
  expect(() => names('a,,b')).toThrow('commas');
});

describe('coverage', () => {
  const ARN = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-AbCdEf';
  it.each([
    ['never-configured', {}],
    ['cancelled', { RotationEnabled: false, RotationLambdaARN: 'arn' }],
    ['by-a-function', { RotationEnabled: true, RotationLambdaARN: 'arn' }],
    ['by-its-service', { RotationEnabled: true }],
    ['by-its-service', { OwningService: 'rds' }],
    ['in-its-primary-region', { PrimaryRegion: 'us-east-1' }],
  ] as const)('takes a secret to be rotated: %s', (found, entry) => {
    expect(rotatedBy({ ARN, ...entry })).toBe(found);
  });

  it('knows PostgreSQL by the engine, and never tells a password', () => {
    const text = JSON.stringify({ engine: 'Postgres', username: 'u', host: 'h', password: 'hidden' });
    expect(loginIn(text)).toEqual({ engine: 'postgres', username: 'u', host: 'h' });
    for (const other of ['{"engine":"mysql"}', '[]', 'null', 'key', undefined]) expect(loginIn(other)).toBeUndefined();
  });
});

describe('a hold', () => {
  const Tags = [
    { Key: 'rotation:paused', Value: 'a migration' },
    { Key: 'rotation:held-by', Value: 'alice 2026-03-01' },
  ];
  it('refuses a rotation with its reason, until somebody turns rotation on', () => {
    const hold = { kind: 'paused', reason: 'a migration', by: 'alice 2026-03-01' };
    expect(holdOf({ Tags, RotationEnabled: false })).toEqual(hold);
    expect(() => refuseHeld({ Tags, RotationEnabled: false, Name: 'shop' })).toThrow(
      /paused by alice 2026-03-01: a migration\.$/,
    );
    expect(() => refuseHeld({ Tags, RotationEnabled: true, Name: 'shop' })).not.toThrow();
    expect(() => refuseHeld({ RotationEnabled: false, Name: 'shop' })).not.toThrow();
  });

  it('has a reason that a tag can hold', () => {
    expect(parseReason(' bis März: Umzug ')).toBe('bis März: Umzug');
    for (const text of ['', ' ', 'a'.repeat(257), 'what?', 'a\nb']) expect(() => parseReason(text)).toThrow('--reason');
  });
});

describe('the report', () => {
  it('sorts passwords by age, those never rotated by when they were stored', () => {
    const found = ages(
      [
        { lastRotated: day(6.9), stored: undefined },
        { lastRotated: day(7), stored: day(400) },
        { lastRotated: undefined, stored: day(400) },
      ],
      NOW,
    );
    expect(found.filter(({ rotated, neverRotated }) => rotated + neverRotated > 0)).toEqual([
      { label: 'under 7 d', rotated: 1, neverRotated: 0 },
      { label: '7–30 d', rotated: 1, neverRotated: 0 },
      { label: 'over 1 y', rotated: 0, neverRotated: 1 },
    ]);
  });

  it.each([
    ['2026-03-11T00:00:00Z', { AutomaticallyAfterDays: 30 }, '2026-03-11T23:59:59Z'],
    ['2026-03-11T04:00:00Z', { ScheduleExpression: 'cron(0 4 ? * * *)', Duration: '2h' }, '2026-03-11T05:59:59Z'],
    ['2026-03-11T04:00:00Z', { ScheduleExpression: 'cron(0 4 ? * * *)' }, '2026-03-11T23:59:59Z'],
    [
      '2026-03-11T08:00:00Z',
      { ScheduleExpression: 'rate(4 hours)', AutomaticallyAfterDays: 1 },
      '2026-03-11T08:59:59Z',
    ],
  ])('knows that a window opens at %s by its rules and its end', (start, rules, end) => {
    expect(windowStart(rules, new Date(end))).toEqual(new Date(start));
  });

  it('counts the windows of each hour of seven days, an open one as now', () => {
    const starts = ['2026-03-10T11:00:00Z', '2026-03-10T12:00:00Z', '2026-03-17T11:00:00Z', '2026-03-17T12:00:00Z'];
    const hours = windowsByHour(
      starts.map((text) => new Date(text)),
      NOW,
    );
    expect(hours).toHaveLength(168);
    expect(hours.map(({ windows }) => windows).filter(Boolean)).toEqual([2, 1]);
    expect(hours.at(-1)).toEqual({ hour: new Date('2026-03-17T11:00:00Z'), windows: 1 });
  });
});

describe('completion', () => {
  const program = new Command('rotation').option('--region <region>', '').option('--json', '');
  program.command('status').argument('[secrets...]').option('--all', '').option('--filter <filter...>', '');
  program.command('code').argument('<secret>');
  program.command('__complete', { hidden: true });
  const secrets = async (prefix: string, place: object) =>
    [`prod/${JSON.stringify(place)}`, 'test/a'].filter((name) => name.startsWith(prefix));
  it.each([
    [['st'], ['status']],
    [[''], ['status', 'code', 'help']],
    [
      ['status', '--'],
      ['--region', '--json', '--all', '--filter'],
    ],
    [['status', '--filter', ''], []],
    [['status', 'test/a', 't'], ['test/a']],
    [['--region', 'eu-west-1', 'code', 'prod'], ['prod/{"region":"eu-west-1"}']],
    [['code', '--', 't'], []],
  ])('of %j is %j', async (words, expected) => {
    expect(await candidates(program, words, secrets)).toEqual(expected);
  });
});
