/** Rows for people: the state first, as many columns as the terminal has room for, then what there is to say of each. */
import { type Cell, table, textWidth, wrap } from '../../shared/terminal/table.ts';
import { bold, dim, green, red, shortId, yellow } from '../../shared/terminal/text.ts';
import { distance, moment } from '../secret-status.ts';
import { type Row, type State, stateOf } from './row.ts';

interface Column {
  readonly head: string;
  readonly cell: (row: Row) => string;
  readonly style?: (row: Row) => (text: string) => string;
}

/** In the order in which they stand. */
const COLUMNS = {
  state: { head: 'STATE', cell: stateOf, style: (row) => styleOf(stateOf(row)) },
  secret: { head: 'SECRET', cell: ({ facts }) => facts.name, style: () => bold },
  place: { head: 'PLACE', cell: ({ place = '' }) => place },
  strategy: { head: 'STRATEGY', cell: ({ facts }) => facts.strategy ?? '–' },
  user: { head: 'USER NOW', cell: ({ facts }) => facts.username ?? '–' },
  login: { head: 'LOGIN', cell: ({ login }) => login?.outcome ?? '–' },
  last: { head: 'LAST ROTATED', cell: ({ facts }) => moment(facts.lastRotated) },
  next: { head: 'NEXT BY', cell: ({ facts }) => moment(facts.nextRotation) },
} satisfies Readonly<Record<string, Column>>;

type ColumnName = keyof typeof COLUMNS;

/** What a narrow terminal does without, the first of them first. */
const DISPENSABLE: readonly ColumnName[] = ['strategy', 'next', 'user', 'last'];

/** @param width of the terminal; undefined: lines may be as long as they are. */
export function statusTable(rows: readonly Row[], width: number | undefined): string[] {
  if (rows.length === 0) return [];
  const columns = columnsFor(rows, width).map((name): Column => COLUMNS[name]);
  const head = columns.map(({ head }): Cell => ({ text: head, style: dim }));
  const cells = rows.map((row) =>
    columns.map(({ cell, style }): Cell => ({ text: cell(row), style: style?.(row) ?? ((text) => text) })),
  );
  return table([head, ...cells], width);
}

/** Of those that tell anything, as many as have room unbroken, but for the secret's name, which may be broken at 24. */
function columnsFor(rows: readonly Row[], width = Number.POSITIVE_INFINITY): readonly ColumnName[] {
  const tells = (name: ColumnName) =>
    (name !== 'place' || rows.some(({ place }) => place !== undefined)) &&
    (name !== 'login' || rows.some(({ login }) => login !== undefined)) &&
    (name !== 'user' || rows.some(({ facts }) => facts.username !== undefined));
  let names = Object.keys(COLUMNS)
    .filter((name): name is ColumnName => Object.hasOwn(COLUMNS, name))
    .filter(tells);
  const widthOf = (name: ColumnName) => {
    const { head, cell }: Column = COLUMNS[name];
    const natural = Math.max(textWidth(head), ...rows.map((row) => textWidth(cell(row))));
    return name === 'secret' ? Math.min(natural, 24) : natural;
  };
  for (const dispensable of DISPENSABLE) {
    const needed = names.reduce((sum, name) => sum + widthOf(name) + 2, -2);
    if (needed <= width) break;
    names = names.filter((name) => name !== dispensable);
  }
  return names;
}

function styleOf(state: State): (text: string) => string {
  if (state === 'ok') return green;
  return ['locked-out', 'failed', 'stuck', 'overdue'].includes(state) ? red : yellow;
}

/** What there is to say of a secret besides its row, broken at words and indented. */
export function detailsOf(row: Row, now: Date, width: number | undefined): string[] {
  const details = sentencesOf(row, now);
  if (details.length === 0) return [];
  const lines = details.flatMap((detail) =>
    wrap(detail, (width ?? Number.POSITIVE_INFINITY) - 4).map((line, index) => (index === 0 ? '  ' : '    ') + line),
  );
  return ['', bold(row.facts.name), ...lines];
}

function sentencesOf(row: Row, now: Date): string[] {
  const { name, hold, pending, failure, replicas, unreadable, nextRotation, notice } = row.facts;
  const details: string[] = [];
  if (row.login !== undefined && row.login.why !== undefined) {
    const what = row.login.outcome === 'refused' ? red('login refused') : 'login not known';
    details.push(`${what}: ${row.login.why}`);
    if (row.login.outcome === 'refused') details.push(`what to do: rotation doctor ${name}`);
  }
  if (hold !== undefined) details.push(`${hold.kind}${hold.by === undefined ? '' : ` by ${hold.by}`}: ${hold.reason}`);
  if (pending !== undefined) {
    const { versionId, since, hasValue } = pending;
    const age = since === undefined ? '' : ` since ${moment(since)} (${distance(since, now)})`;
    details.push(`AWSPENDING is on version ${shortId(versionId)}, ${hasValue ? 'with' : 'without'} a value${age}`);
  }
  if (failure !== undefined) {
    details.push(`${red(failure.code)} in ${failure.step}: ${failure.message}`);
    if (failure.remedy !== undefined) details.push(`what to do: ${failure.remedy}`);
  }
  if (row.condition === 'stuck') details.push(`what to do: rotation doctor ${name} --fix`);
  if (row.condition === 'overdue' && nextRotation !== undefined) {
    details.push(`should have been rotated by ${moment(nextRotation)}: rotation doctor ${name}`);
  }
  if (notice !== undefined) details.push(`${yellow('notice')}: ${notice}`);
  if (unreadable !== undefined) details.push(`its user is not known: ${unreadable}`);
  if (replicas.length > 0) details.push(`replicas: ${replicas.map(replicaWords).join(', ')}`);
  return details;
}

/** Only where something is wrong the service's words matter. */
function replicaWords({ region, status, message }: Row['facts']['replicas'][number]): string {
  const why = status === 'InSync' || message === undefined ? '' : ` (${message})`;
  return `${region} ${status}${why}`;
}
