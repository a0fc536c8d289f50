/** What a server's log says in these roles' sessions: tests share servers, so that a log has others' lines too. */
export function linesOf(log: string, ...roles: readonly string[]): string {
  const lines = log.split('\n');
  const sessions = new Set(
    lines
      .filter((line) => roles.some((role) => line.includes(`connection authorized: user=${role} `)))
      .map((line) => processOf(line)),
  );
  // What a message adds on lines of its own has no process id, and belongs to the line before.
  let ours = false;
  return lines
    .filter((line) => {
      const process = processOf(line);
      if (process !== undefined) ours = sessions.has(process);
      return ours;
    })
    .join('\n');
}

/** The server's default log_line_prefix: '%m [%p] '. */
function processOf(line: string): string | undefined {
  return /^\d{4}-\d\d-\d\d [\d:.]+ \S+ \[(\d+)\] /.exec(line)?.[1];
}
