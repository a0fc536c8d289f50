/** The report as one page that needs nothing else: no script, no network, light, dark and on paper. */
import { count, plural } from '../../shared/terminal/text.ts';
import type { Uncovered } from '../fleet/coverage.ts';
import { countsOf, inOrder, isRowUnwell, type Row, stateOf } from '../fleet/row.ts';
import { moment } from '../secret-status.ts';
import { ages, DAYS_AHEAD, type Password, ROTATIONS_PER_HOUR, windowsByHour } from './figures.ts';
import { agePlot, statePlot, windowPlot } from './plots.ts';
import { STYLE } from './style.ts';

export interface Unrotated {
  readonly name: string;
  readonly arn: string;
  readonly why: Uncovered['why'];
  readonly lastChanged: Date | undefined;
}

export interface ReportFacts {
  readonly now: Date;
  /** Such as `account 123456789012, eu-west-1`. */
  readonly places: readonly string[];
  readonly rows: readonly Row[];
  readonly passwords: readonly Password[];
  /** When the next windows open. */
  readonly windows: readonly Date[];
  readonly unrotated: readonly Unrotated[];
  /** How many values were read to tell which of the unrotated are PostgreSQL logins; undefined: none was. */
  readonly read: number | undefined;
  /** What could not be looked at, a sentence each. */
  readonly errors: readonly string[];
}

export function page(facts: ReportFacts): string {
  const { now, places, rows, errors } = facts;
  const unwell = rows.filter(isRowUnwell);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Rotation of PostgreSQL secrets, ${escaped(moment(now))}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Rotation of PostgreSQL secrets</h1>
<p>${escaped(moment(now))}, in ${escaped(places.join('; '))}.</p>
<p class="lead">${plural(rows.length, 'secret')}: <b class="${unwell.length === 0 ? 'good' : 'bad'}">${unwell.length === 0 ? 'none' : count(unwell.length)} unwell</b>.
${plural(facts.unrotated.length, 'secret')} that nothing rotates.</p>
${errors.map((error) => `<p class="bad">Not looked at: ${escaped(error)}</p>`).join('\n')}
${figures(facts)}
${unwellTable(unwell)}
${unrotatedTable(facts)}
${allTable(rows)}
</body>
</html>
`;
}

function figures({ rows, passwords, windows, now }: ReportFacts): string {
  const unwellStates = new Set(rows.filter(isRowUnwell).map(stateOf));
  const states = Object.entries(countsOf(rows)).map(
    ([state, number]) => [state, number, [...unwellStates].some((each) => each === state)] as const,
  );
  const hours = windowsByHour(windows, now);
  const busiest = Math.max(0, ...hours.map(({ windows }) => windows));
  const seconds = Math.ceil((busiest * 3_600) / ROTATIONS_PER_HOUR);
  return [
    figure('States', statePlot(states), ''),
    figure(
      'Age of passwords',
      agePlot(ages(passwords, now)),
      'Since the last rotation; of those never rotated, since the value was last stored.',
    ),
    figure(
      `Windows that open in the next ${DAYS_AHEAD} days, by hour (UTC)`,
      windowPlot(hours),
      `The busiest hour opens ${plural(busiest, 'window')}. The service's quota of writes lets ${count(ROTATIONS_PER_HOUR)} rotations through in an hour, so these take ${seconds} s of it at least; the scale is logarithmic.`,
    ),
  ].join('\n');
}

const figure = (title: string, svg: string, caption: string) =>
  `<figure><h2>${escaped(title)}</h2>\n${svg}\n<figcaption>${escaped(caption)}</figcaption></figure>`;

function unwellTable(rows: readonly Row[]): string {
  if (rows.length === 0) return '';
  const cells = inOrder(rows).map((row) => [
    stateOf(row),
    row.facts.name,
    row.facts.failure === undefined
      ? (row.login?.why ?? `rotation doctor ${row.facts.name}`)
      : `${row.facts.failure.code} in ${row.facts.failure.step}: ${row.facts.failure.message}`,
  ]);
  return section('Unwell', ['State', 'Secret', 'Why'], cells);
}

function unrotatedTable({ unrotated, read }: ReportFacts): string {
  const note =
    read === undefined
      ? 'No value was read, so some of these may be no PostgreSQL logins (--coverage reads them).'
      : `${plural(read, 'value')} read: these are PostgreSQL logins.`;
  if (unrotated.length === 0) {
    const none = read === undefined ? 'None.' : `${plural(read, 'value')} read: none is a PostgreSQL login.`;
    return `<h2>Not rotated</h2><p>${none}</p>`;
  }
  const cells = unrotated.map(({ name, why, lastChanged }) => [name, why, day(lastChanged)]);
  return `${section('Not rotated', ['Secret', 'Why', 'Last changed'], cells)}<p>${note}</p>`;
}

function allTable(rows: readonly Row[]): string {
  const cells = rows
    .toSorted((a, b) => a.facts.name.localeCompare(b.facts.name))
    .map((row) => {
      const { name, arn, lastRotated, nextRotation, hold } = row.facts;
      const state = hold === undefined ? stateOf(row) : `${hold.kind}: ${hold.reason}`;
      return [name, arn.split(':')[3] ?? '', state, day(lastRotated), day(nextRotation)];
    });
  return section('All that have a function', ['Secret', 'Region', 'State', 'Last rotated', 'Next by'], cells);
}

const day = (date: Date | undefined) => date?.toISOString().slice(0, 10) ?? '–';

function section(title: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  const heads = head.map((each) => `<th scope="col">${escaped(each)}</th>`).join('');
  const lines = rows.map((cells) => `<tr>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`);
  return `<h2>${escaped(title)}</h2>
<div class="wide"><table><thead><tr>${heads}</tr></thead><tbody>
${lines.join('\n')}
</tbody></table></div>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Names of secrets and messages of servers are not ours. */
function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
