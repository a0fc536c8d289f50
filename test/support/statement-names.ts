/** Reads in a server's log what sessions have asked for, and which names that may mean something else to another search_path. */

/** What SQL texts refer to by name: operators by symbol; functions, types and relations by identifier. */
export interface StatementNames {
  readonly symbols: readonly string[];
  readonly identifiers: readonly string[];
}

/** Grammar that stands for operators without showing them (PostgreSQL's gram.y: makeSimpleA_Expr, and parse_expr.c). */
const HIDDEN: readonly [RegExp, readonly string[]][] = [
  [/\b(IN|ANY|ALL|SOME|NULLIF|CASE|USING|NATURAL|DISTINCT)\b/i, ['=', '<>']],
  [/\bLIKE\b/i, ['~~', '!~~']],
  [/\bILIKE\b/i, ['~~*', '!~~*']],
  [/\bSIMILAR\b/i, ['~', '!~']],
  [/\bBETWEEN\b/i, ['<', '<=', '>', '>=']],
];

/**
 * All names in these statements, and in the literals and comments in them: a literal may be SQL to execute, and who
 * finds a name too many has done no harm.
 */
export function namesIn(statements: readonly string[]): StatementNames {
  const symbols = new Set<string>();
  const identifiers = new Set<string>();
  for (const statement of statements) {
    for (const [symbol] of statement.matchAll(/[-+*/<>=~!@#%^&|`?]+/g)) symbols.add(symbol);
    for (const [grammar, meant] of HIDDEN) if (grammar.test(statement)) for (const symbol of meant) symbols.add(symbol);
    for (const [word, quoted] of statement.matchAll(/"((?:[^"]|"")+)"|[\p{L}_][\p{L}\p{N}_$]*/gu))
      identifiers.add(quoted === undefined ? word.toLowerCase() : quoted.replaceAll('""', '"'));
  }
  return { symbols: [...symbols].sort(), identifiers: [...identifiers].sort() };
}

/** A session as the log introduces it. */
export interface LoggedSession {
  readonly user: string;
  readonly application: string;
}

/**
 * The statements of the sessions that are wanted, of both protocols, in the order of the log. The log needs
 * log_connections and log_statement=all, and the server's default log_line_prefix: '%m [%p] '.
 */
export function statementsOf(log: string, wanted: (session: LoggedSession) => boolean): string[] {
  const ours = new Map<string, boolean>();
  return log.split(/^(?=\d{4}-\d\d-\d\d [\d:.]+ \S+ \[\d+\] )/m).flatMap((entry) => {
    const [, process = '', message = ''] = /^\S+ \S+ \S+ \[(\d+)\] LOG: {2}([\s\S]*)$/.exec(entry) ?? [];
    const session = /^connection authorized: user=(.*) database=.*? application_name=(\S+)/.exec(message);
    if (session !== null) ours.set(process, wanted({ user: session[1] ?? '', application: session[2] ?? '' }));
    else if (message.startsWith('connection authorized: ')) ours.set(process, false);
    const statement = /^(?:statement|execute [^:]+): ([\s\S]*)$/.exec(message)?.[1];
    if (statement === undefined || ours.get(process) !== true) return [];
    // The lines that a statement has besides its first are logged behind a tab.
    return [statement.trimEnd().replaceAll('\n\t', '\n')];
  });
}
