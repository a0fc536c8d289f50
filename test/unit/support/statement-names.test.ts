import { expect, test } from 'vitest';
import { namesIn, statementsOf } from '../../support/statement-names.ts';

const at = '2026-11-25 21:32:42.123 UTC';

const LOG = `${at} [7] LOG:  connection received: host=127.0.0.1 port=1
${at} [7] LOG:  connection authorized: user=app database=shop application_name=postgres-secret-rotation
${at} [8] LOG:  connection authorized: user=app database=shop
${at} [7] LOG:  statement: BEGIN; SELECT 1
\tFROM pg_roles
${at} [8] LOG:  statement: SELECT 'not ours'
${at} [7] LOG:  duration: 0.1 ms
${at} [7] LOG:  duration: 0.1 ms  parse <unnamed>: SELECT $1
${at} [7] LOG:  execute <unnamed>: SELECT $1
${at} [7] DETAIL:  Parameters: $1 = 'x'
${at} [8] LOG:  connection authorized: user=boss database=a database application_name=adopt-clone SSL enabled (protocol=TLSv1.3)
${at} [8] LOG:  execute s1/C_2: FETCH
${at} [7] LOG:  connection authorized: user=app database=shop
${at} [7] LOG:  statement: SELECT 'a process id used again'
`;

test("a log's statements are those of the sessions wanted, of both protocols, with all their lines", () => {
  const ours = statementsOf(LOG, ({ application }) =>
    ['postgres-secret-rotation', 'adopt-clone'].includes(application),
  );
  expect(ours).toEqual(['BEGIN; SELECT 1\nFROM pg_roles', 'SELECT $1', 'FETCH']);
  expect(statementsOf(LOG, ({ user }) => user === 'boss')).toEqual(['FETCH']);
});

test('names are found wherever they stand, in literals and comments too, and operators that grammar hides', () => {
  const { symbols, identifiers } = namesIn([
    `SELECT Rolname::text FROM pg_roles r WHERE r."rolName" IN ('a') AND x NOT LIKE 'b' -- and left()`,
    `DO 'BEGIN EXECUTE format(''%s'', "a""b" || c); END'`,
  ]);
  expect(symbols).toEqual(expect.arrayContaining(['=', '<>', '~~', '!~~', '||']));
  expect(identifiers).toEqual(
    expect.arrayContaining(['rolname', 'text', 'pg_roles', 'rolName', 'left', 'format', 'a"b']),
  );
});
