import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ADMINISTRATION, type PostgresServer } from '../../scripts/lab/database/server.ts';

/** Begins to listen to the server's log. @returns a function that gives what was logged since. */
export async function followLog(server: PostgresServer): Promise<() => Promise<string>> {
  const start = (await flushedLog(server)).length;
  return async () => (await flushedLog(server)).slice(start);
}

/** The names of the needles that occur in the server's log: their values may be secrets, which no assertion should print. */
export async function searchLog(server: PostgresServer, needles: Readonly<Record<string, string>>): Promise<string[]> {
  const log = await flushedLog(server);
  return Object.entries(needles)
    .filter(([name, needle]) => {
      if (needle === '')
        throw new Error(`The needle "${name}" must have a value, which would be found nowhere or everywhere.`);
      return log.includes(needle);
    })
    .map(([name]) => name);
}

export interface LoginCount {
  readonly accepted: number;
  readonly failed: number;
}

/**
 * Begins to count logins where they happen: in the server's log (which needs log_connections=on, as servers from this
 * folder have). @returns a function that gives the number since, of one user or of all but the harness's own.
 */
export async function countLogins(server: PostgresServer): Promise<(user?: string) => Promise<LoginCount>> {
  const logged = await followLog(server);
  return async (user) => {
    const lines = (await logged()).split('\n');
    return {
      accepted: lines.filter((line) => isAccepted(line, user)).length,
      failed: lines.filter((line) => isFailed(line, user)).length,
    };
  };
}

function isAccepted(line: string, user: string | undefined): boolean {
  const [, session] = line.split(/ LOG: {2}connection authorized: /);
  if (session === undefined || session.includes(`application_name=${ADMINISTRATION}`)) return false;
  return user === undefined || session.startsWith(`user=${user} database=`);
}

function isFailed(line: string, user: string | undefined): boolean {
  const [, reason] = line.split(/ FATAL: {2}/);
  if (reason === undefined || reason.startsWith('terminating ') || reason.startsWith('the database system is '))
    return false;
  return user === undefined || reason.includes(`"${user}"`);
}

/** The log with everything in it that was logged before the call: what a container logs arrives with a delay. */
async function flushedLog(server: PostgresServer): Promise<string> {
  const mark = `end of log ${randomUUID()}`;
  await server.query(`DO $$ BEGIN RAISE LOG '${mark}'; END $$`);
  const line = `LOG:  ${mark}\n`;
  for (const deadline = performance.now() + 30_000; ; await sleep(10)) {
    const log = await server.log();
    const end = log.indexOf(line);
    if (end !== -1) return log.slice(0, end + line.length);
    if (performance.now() > deadline) throw new Error('What PostgreSQL logs should appear in its log, and does not.');
  }
}

/** For failure messages: the end of a log without passwords, verifiers and whatever else is named a secret. */
export function redactedTail(log: string, secrets: readonly string[], lines = 40): string {
  let text = withoutAdministration(log.trimEnd().split('\n')).slice(-lines).join('\n');
  for (const secret of secrets) if (secret !== '') text = text.replaceAll(secret, '[redacted]');
  return withoutVerifiers(text).replaceAll(/\bPASSWORD\s+E?'(?:[^']|'')*'/gi, "PASSWORD '[redacted]'");
}

/** For failure messages: the lines of a log that show a verifier, without it, and what stands before them. */
export function aroundVerifiers(log: string): string {
  const lines = log.split('\n');
  return lines
    .flatMap((line, at) => (line === withoutVerifiers(line) ? [] : [...lines.slice(Math.max(0, at - 4), at + 1), '…']))
    .map((line) => `${withoutVerifiers(line).slice(0, 300)}\n`)
    .join('');
}

function withoutVerifiers(text: string): string {
  return text
    .replaceAll(/SCRAM-SHA-256\$[^\s']+/g, '[redacted verifier]')
    .replaceAll(/\bmd5[0-9a-f]{32}\b/g, '[redacted verifier]');
}

/** Drops the lines about logins of the harness itself, which would crowd out what the test did. */
function withoutAdministration(lines: readonly string[]): string[] {
  const processOf = (line: string) => /^\S+ \S+ \S+ \[(\d+)\] LOG: {2}connection /.exec(line)?.[1];
  const own = new Set(lines.filter((line) => line.endsWith(`application_name=${ADMINISTRATION}`)).map(processOf));
  return lines.filter((line) => {
    const process = processOf(line);
    return process === undefined || !own.has(process);
  });
}
