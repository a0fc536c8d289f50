import { describe, expect, it } from 'vitest';
import { axis, barChart, lineChart } from '../../../../scripts/bench/svg.ts';

describe('axis', () => {
  it.each([
    [0.7, 0.7],
    [7, 7],
    [33, 35],
    [116, 120],
    [1000, 1000],
    [0, 0.1],
  ])('to %d ends at %d', (max, end) => {
    expect(axis(max).end).toBeCloseTo(end);
  });

  it.each([0.3, 1, 4.2, 33, 99, 101, 20_000])('to %d has few ticks, from 0 to its end', (max) => {
    const { end, ticks } = axis(max);
    expect(ticks.length).toBeLessThanOrEqual(10);
    expect(ticks.length).toBeGreaterThan(1);
    expect([ticks[0], ticks.at(-1)]).toEqual([0, Number(end.toPrecision(6))]);
    expect(end).toBeGreaterThanOrEqual(max * 0.999);
  });
});

it('draws a bar of every part, in proportion', () => {
  const svg = barChart({
    title: 'T',
    unit: 'ms',
    legend: ['a', 'b'],
    bars: [{ label: 'x < y & "z"', parts: [10, 30] }],
  });
  const widths = Array.from(svg.matchAll(/<rect x="[\d.]+" y="77" width="([\d.]+)"/g), ([, width]) => Number(width));
  expect(widths).toHaveLength(2);
  expect((widths[1] ?? 0) / (widths[0] ?? 0)).toBeCloseTo(3, 1);
  expect(svg).toContain('x &lt; y &amp; &quot;z&quot;');
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
});

it('draws a line through every point', () => {
  const svg = lineChart({
    title: 'T',
    x: 's',
    y: 'n',
    lines: [
      {
        name: 'one',
        points: [
          [0, 0],
          [5, 10],
          [10, 10],
        ],
      },
    ],
  });
  const points = /<polyline points="([^"]+)"/.exec(svg)?.[1]?.split(' ') ?? [];
  expect(points).toEqual(['70,360', '470,72', '870,72']);
});
