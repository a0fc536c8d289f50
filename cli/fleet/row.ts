/** What is told of one secret among many: which come first, and how many there are of each kind; pure. */
import { plural } from '../../shared/terminal/text.ts';
import { type Condition, isUnwell, type StatusFacts } from '../secret-status.ts';

/** What a login with AWSCURRENT has shown. */
export interface LoginLook {
  readonly outcome: 'accepted' | 'refused' | 'unknown';
  /** One sentence, without a full stop, where it was not accepted. */
  readonly why: string | undefined;
}

export interface Row {
  readonly facts: StatusFacts;
  readonly condition: Condition;
  /** Undefined where none was tried. */
  readonly login: LoginLook | undefined;
  /** Where it was found; undefined where only one place was asked. */
  readonly place: string | undefined;
}

/** As it is shown: a refused login is worse than all that the labels tell. */
export type State = Condition | 'locked-out';

/** The worst first. */
const ORDER: readonly State[] = [
  'locked-out',
  'stuck',
  'failed',
  'overdue',
  'cancelled',
  'rotating',
  'not-attached',
  'marked-for-deletion',
  'ok',
];

export const stateOf = ({ condition, login }: Row): State => (login?.outcome === 'refused' ? 'locked-out' : condition);

export function isRowUnwell(row: Row): boolean {
  return stateOf(row) === 'locked-out' || isUnwell(row.condition, row.facts);
}

/** The unwell on top, the worst of them first, then by name. */
export function inOrder(rows: readonly Row[]): readonly Row[] {
  const rank = (row: Row) => (isRowUnwell(row) ? 0 : 100) + ORDER.indexOf(stateOf(row));
  return rows.toSorted((a, b) => rank(a) - rank(b) || a.facts.name.localeCompare(b.facts.name));
}

/** How many there are in each state; those that there are none of are left out. */
export function countsOf(rows: readonly Row[]): Readonly<Partial<Record<State, number>>> {
  const counted = ORDER.map((state) => [state, rows.filter((row) => stateOf(row) === state).length] as const);
  return Object.fromEntries(counted.filter(([, number]) => number > 0));
}

/** Such as `300 secrets: 2 unwell. 1 stuck, 1 overdue, 298 ok.` */
export function headline(rows: readonly Row[]): string {
  const kinds = Object.entries(countsOf(rows)).map(([state, number]) => `${number} ${state}`);
  const unwell = rows.filter(isRowUnwell).length;
  return `${plural(rows.length, 'secret')}: ${unwell === 0 ? 'none' : unwell} unwell. ${kinds.join(', ')}.`;
}

/** For programs. */
export function asJson(row: Row): object {
  const { facts, login } = row;
  const { name, arn, functionArn, strategy, username, lastRotated, nextRotation, pending, failure, replicas } = facts;
  const [, , , region = '', account = ''] = arn.split(':');
  return {
    secret: name,
    arn,
    account,
    region,
    state: stateOf(row),
    unwell: isRowUnwell(row),
    strategy: strategy ?? null,
    username: username ?? null,
    function: functionArn ?? null,
    lastRotated: lastRotated ?? null,
    nextRotation: nextRotation ?? null,
    pending: pending ?? null,
    failure: failure ?? null,
    notice: facts.notice ?? null,
    login: login?.outcome ?? null,
    hold: facts.hold ?? null,
    replicas,
  };
}
