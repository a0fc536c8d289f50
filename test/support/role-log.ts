/** Ends the name of a role whose password can't be set silently: the server logs the verifier, as the README says. */
export const VERIFIER_IS_LOGGED = 'verifier_is_logged';

/** What a server's log says in these roles' sessions: tests share servers, so that a log has others' lines too. */
export function linesOf(log: string, ...roles: readonly string[]): string {
  return linesOfSessions(log, (role) => role !== undefined && roles.includes(role));
}

/** What a server's log says in all sessions that have no excuse to show a verifier. */
export function linesWithoutVerifiers(log: string): string {
  return linesOfSessions(log, (role) => role?.endsWith(VERIFIER_IS_LOGGED) !== true);
}

function linesOfSessions(log: string, wanted: (role: string | undefined) => boolean): string {
  const roles = new Map<string, string>();
  let kept = wanted(undefined);
  return log
    .split('\n')
    .filter((line) => {
      // What a message adds on lines of its own has no process id, and belongs to the line before.
      const process = processOf(line);
      if (process === undefined) return kept;
      const role = / connection authorized: user=(.*) database=/.exec(line)?.[1];
      if (role !== undefined) roles.set(process, role);
      kept = wanted(roles.get(process));
      return kept;
    })
    .join('\n');
}

/** The server's default log_line_prefix: '%m [%p] '. */
function processOf(line: string): string | undefined {
  return /^\d{4}-\d\d-\d\d [\d:.]+ \S+ \[(\d+)\] /.exec(line)?.[1];
}
