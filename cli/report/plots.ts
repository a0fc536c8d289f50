/** The report's plots, as SVG whose colours are the page's own variables: one drawing for light, dark and paper. */
import { BarChart } from 'echarts/charts';
import { GridSimpleComponent, LegendPlainComponent, MarkLineComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { type AgeClass, type HourOfWindows, ROTATIONS_PER_HOUR } from './figures.ts';

use([BarChart, GridSimpleComponent, LegendPlainComponent, MarkLineComponent, SVGRenderer]);

const WIDTH = 760;
const INK = 'var(--ink)';
const axis = {
  axisLabel: { color: INK },
  axisLine: { lineStyle: { color: 'var(--line)' } },
  axisTick: { show: false },
};
const grid = { left: 56, right: 24, top: 36, bottom: 32 };

/** @param title what a reader hears who does not see it. */
function draw(title: string, height: number, option: object): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  try {
    chart.setOption({ animation: false, textStyle: { fontFamily: 'system-ui, sans-serif' }, ...option });
    const svg = chart.renderToSVGString();
    // It is no page of its own: the width is that of the paper, and what hovering does is for a script that is not there.
    return svg
      .replace(/<style[^>]*>[\s\S]*?<\/style>/g, '')
      .replace('<svg width="760"', `<svg role="img" aria-label="${title}" width="100%"`)
      .replace(/ height="\d+"/, '');
  } finally {
    chart.dispose();
  }
}

const label = { show: true, position: 'top', color: INK, formatter: ({ value }: { value: number }) => value || '' };

export function agePlot(classes: readonly AgeClass[]): string {
  const bars = (name: string, color: string, data: readonly number[]) => ({
    type: 'bar',
    name,
    data,
    itemStyle: { color },
    label,
    barGap: 0,
  });
  return draw('Age of passwords', 280, {
    grid: { ...grid, top: 56 },
    legend: { top: 0, left: 48, itemGap: 32, textStyle: { color: INK } },
    xAxis: { ...axis, type: 'category', data: classes.map(({ label }) => label) },
    yAxis: { ...axis, type: 'value', minInterval: 1, splitLine: { lineStyle: { color: 'var(--line)' } } },
    series: [
      bars(
        'rotated',
        'var(--good)',
        classes.map(({ rotated }) => rotated),
      ),
      bars(
        'never rotated',
        'var(--bad)',
        classes.map(({ neverRotated }) => neverRotated),
      ),
    ],
  });
}

export function statePlot(states: readonly (readonly [state: string, number: number, unwell: boolean])[]): string {
  const bottomUp = states.toReversed();
  return draw('States', 48 + 28 * states.length, {
    grid: { ...grid, left: 140, top: 8 },
    yAxis: { ...axis, type: 'category', data: bottomUp.map(([state]) => state) },
    xAxis: { ...axis, type: 'value', minInterval: 1, splitLine: { lineStyle: { color: 'var(--line)' } } },
    series: [
      {
        type: 'bar',
        barWidth: 16,
        label: { ...label, position: 'right' },
        data: bottomUp.map(([, value, unwell]) => ({
          value,
          itemStyle: { color: unwell ? 'var(--bad)' : 'var(--good)' },
        })),
      },
    ],
  });
}

/** A logarithmic scale: the quota is far above what most fleets do, and both are to be seen. */
export function windowPlot(hours: readonly HourOfWindows[]): string {
  const names = hours.map(({ hour }) => hour.toISOString().slice(5, 13).replace('T', ' '));
  return draw('Windows that open, by hour', 280, {
    grid: { ...grid, left: 84, right: 90 },
    xAxis: {
      ...axis,
      type: 'category',
      data: names,
      axisLabel: { color: INK, interval: (index: number) => hours[index]?.hour.getUTCHours() === 0, formatter: dayOf },
    },
    yAxis: { ...axis, type: 'log', min: 1, max: 1_000_000, splitLine: { lineStyle: { color: 'var(--line)' } } },
    series: [
      {
        type: 'bar',
        barMinHeight: 3,
        data: hours.map(({ windows }) => (windows === 0 ? null : windows)),
        itemStyle: { color: 'var(--good)' },
        markLine: {
          silent: true,
          symbol: 'none',
          data: [{ yAxis: ROTATIONS_PER_HOUR }],
          lineStyle: { color: 'var(--bad)' },
          label: { color: INK, formatter: 'the quota' },
        },
      },
    ],
  });
}

const dayOf = (name: string) => name.slice(0, 5);
