import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { asList, asObject, asText, isObject, type Json, type JsonObject } from '../../support/cloudformation.ts';
import { samStacks, samTranslatorIsHere } from '../../support/sam.ts';
import { run } from '../../support/tools.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** A metric by its namespace and name with the dimensions that it is published under, sorted. */
type Published = Readonly<Record<string, readonly string[]>>;

/** What the function really publishes when a step fails: it is called in a process of its own and its EMF lines read. */
function publishedByAFailure(): Published {
  const program = `
    const { handler } = await import('./functions/single-user.ts');
    await handler({}, { getRemainingTimeInMillis: () => 10_000 }).catch(() => {});`;
  const lines = run('env', ['-C', ROOT, process.execPath, '--input-type=module', '-e', program]).trim().split('\n');
  const records = lines.map((line) => asObject(JSON.parse(line))).filter((line) => isObject(line._aws));
  const metrics = records.flatMap((record) => asList(asObject(record._aws).CloudWatchMetrics).map(asObject));
  return Object.fromEntries(
    metrics.flatMap(({ Namespace, Dimensions, Metrics }) => {
      const dimensions = asList(asList(Dimensions)[0]).map(asText).toSorted();
      return asList(Metrics).map((metric) => [`${asText(Namespace)} ${asText(asObject(metric).Name)}`, dimensions]);
    }),
  );
}

const PUBLISHED_BY_LAMBDA: Published = Object.fromEntries(
  ['Invocations', 'Errors', 'Throttles'].map((name) => [`AWS/Lambda ${name}`, ['FunctionName']]),
);
const PUBLISHED_BY_A_ROTATION: Published = {
  'PostgresSecretRotation RotationSucceeded': ['service', 'strategy'],
};

const stacks = samStacks({ plain: {} });

function widgets(): readonly JsonObject[] {
  const body: Json = JSON.parse(asText(stacks('plain').resource('Dashboard').properties.DashboardBody));
  return asList(asObject(body).widgets).map(asObject);
}

/** The metrics a widget names: one by one, or by the schema of a SEARCH. */
function metricsOf(widget: JsonObject): { metric: string; dimensions: readonly string[] }[] {
  return asList(asObject(widget.properties).metrics).map((line) => {
    const [first, name, ...others] = asList(line);
    if (isObject(first)) return searched(asText(first.expression));
    const pairs = others.filter((each) => typeof each === 'string');
    return {
      metric: `${asText(first)} ${asText(name)}`,
      dimensions: pairs.filter((_, index) => index % 2 === 0).toSorted(),
    };
  });
}

function searched(expression: string): { metric: string; dimensions: readonly string[] } {
  const [, schema, name] = /SEARCH\('\{([^}]+)\} MetricName="(\w+)"/.exec(expression) ?? [];
  const [namespace, ...dimensions] = (schema ?? '').split(',');
  return { metric: `${namespace} ${name}`, dimensions };
}

describe.skipIf(!samTranslatorIsHere)('the dashboard', () => {
  it('shows outcomes, codes, durations, the functions and their latest failures', () => {
    expect(widgets().map((widget) => asText(asObject(widget.properties).title))).toEqual([
      'Rotations by outcome',
      'Failures by code',
      'Step durations, single user (95th percentile)',
      'Step durations, alternating users (95th percentile)',
      'Calls, errors and throttles of the functions',
      'Latest failures',
    ]);
  });

  it('names only metrics with the dimensions that they are published under', { timeout: 30_000 }, () => {
    const published = { ...publishedByAFailure(), ...PUBLISHED_BY_A_ROTATION, ...PUBLISHED_BY_LAMBDA };
    const named = widgets()
      .filter((widget) => widget.type === 'metric')
      .flatMap(metricsOf);
    expect(named.length).toBeGreaterThan(0);
    for (const { metric, dimensions } of named)
      expect({ metric, dimensions: published[metric] }).toEqual({ metric, dimensions });
    expect(new Set(named.map(({ metric }) => metric))).toEqual(new Set(Object.keys(published)));
  });

  it('asks the logs of both functions for fields that failures have', () => {
    const log = widgets().find((widget) => widget.type === 'log');
    const query = asText(asObject(log?.properties).query);
    expect(query).toContain(`SOURCE '${stacks('plain').ref('SingleUserLogGroup')}'`);
    expect(query).toContain(`SOURCE '${stacks('plain').ref('AlternatingUsersLogGroup')}'`);
  });

  it('leaves no widget on top of another', () => {
    const cells = widgets().flatMap(({ x, y, width, height }) =>
      Array.from({ length: Number(width) * Number(height) }, (_, index) =>
        [Number(x) + (index % Number(width)), Number(y) + Math.floor(index / Number(width))].join(),
      ),
    );
    expect(new Set(cells).size).toBe(cells.length);
  });
});
