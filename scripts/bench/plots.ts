/** Draws docs/plots/*.svg from the results beside them. */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { STEPS } from '../../shared/rotation/event.ts';
import { RESULTS_FILE, type Results } from './report.ts';
import { significant } from './statistics.ts';
import { barChart, lineChart } from './svg.ts';

export async function drawPlots(): Promise<void> {
  const results: Results = JSON.parse(await readFile(RESULTS_FILE, 'utf8'));
  for (const [name, svg] of Object.entries(plotsOf(results))) {
    await writeFile(join(dirname(RESULTS_FILE), `${name}.svg`), svg);
  }
}

/** By file name, without those whose benchmark has no results; pure. */
export function plotsOf({ rotation, cold, scale, fleet }: Results): Readonly<Record<string, string>> {
  return {
    ...(rotation && { steps: stepsPlot(rotation.results) }),
    ...(cold && { 'cold-start': coldPlot(cold.results) }),
    ...(scale && { scale: scalePlot(scale.results) }),
    ...(fleet && { fleet: fleetPlot(fleet.results.runs) }),
  };
}

type ResultsOf<Name extends keyof Results> = NonNullable<Results[Name]>['results'];

function stepsPlot(results: ResultsOf<'rotation'>): string {
  return barChart({
    title: 'A warm rotation by step',
    unit: 'ms, median',
    legend: STEPS,
    bars: results.map(({ implementation, strategy, tls, occasion, steps }) => ({
      label: [
        ...(implementation === 'ours' ? [] : [implementation]),
        `${strategy}${tls ? ', TLS' : ''}, ${occasion}`,
      ].join(': '),
      parts: STEPS.map((step) => steps[step].wall.median),
    })),
  });
}

function coldPlot(results: ResultsOf<'cold'>): string {
  const [first] = results;
  return barChart({
    title: `Cold start of ${first?.strategy ?? 'a function'}, by lever`,
    unit: 'CPU ms from the start of the process to the answer of createSecret, median',
    bars: results
      .filter(({ strategy, cpu }) => strategy === first?.strategy && cpu !== null)
      .map(({ name, cpu, bytes }) => ({
        label: name,
        parts: [cpu?.median ?? 0],
        note: `${significant(cpu?.median ?? 0)}${bytes === null ? '' : ` · ${Math.round(bytes / 1000)} KB`}`,
      })),
  });
}

function scalePlot(results: ResultsOf<'scale'>): string {
  return barChart({
    title: 'Growth of a rotation’s time, from the smallest to the largest size',
    unit: 'times (1 is flat)',
    bars: results.map(({ dimension, points, growth }) => ({
      label: dimension,
      parts: [growth],
      note: `× ${significant(growth, 2)} for ${points[0]?.size} → ${points.at(-1)?.size.toLocaleString('en-US')}`,
    })),
  });
}

function fleetPlot(runs: ResultsOf<'fleet'>['runs']): string {
  const ceiling = runs[0]?.ceiling ?? 0;
  const longest = Math.max(...runs.map(({ curve }) => curve.length));
  const reach = Math.min(longest, (runs[0]?.secrets ?? 0) / ceiling);
  return lineChart({
    title: `${runs[0]?.secrets.toLocaleString('en-US')} secrets due at once`,
    x: 'seconds',
    y: 'rotations finished',
    lines: [
      ...runs.map(({ concurrency, curve }) => ({
        name: `concurrency ${concurrency.toLocaleString('en-US')}`,
        points: [[0, 0] as const, ...curve.map((finished, second) => [second + 1, finished] as const)],
      })),
      { name: `quota's ceiling (${ceiling}/s)`, points: [[0, 0] as const, [reach, reach * ceiling] as const] },
    ],
  });
}
