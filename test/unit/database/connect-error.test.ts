import { DatabaseError } from 'pg';
import { describe, expect, it } from 'vitest';
import { databaseError, meaningOf, TIMED_OUT } from '../../../shared/database/connect-error.ts';
import { AuthenticationUnsupported, NoProcess, TooManyIterations } from '../../../shared/database/connection.ts';

interface ServerSays {
  readonly message?: string;
  readonly routine?: string;
  readonly file?: string;
}

function server(code: string, { message = 'said by the server', ...where }: ServerSays = {}): DatabaseError {
  return Object.assign(new DatabaseError(message, message.length, 'error'), { code, ...where });
}

const system = (code: string, message = `connect ${code}`) => Object.assign(new Error(message), { code });
const FACTS = { host: 'db.example.com', port: 5432, username: 'app', database: 'shop' };
const asItIs = (text: string) => text;

describe('while connecting', () => {
  it.each<[string, string, unknown]>([
    ['WRONG_PASSWORD', 'a wrong password', server('28P01')],
    ['LOGIN_FORBIDDEN', 'a role that may not log in', server('28000', { routine: 'InitializeSessionUserId' })],
    ['LOGIN_FORBIDDEN', 'a missing CONNECT privilege', server('42501')],
    ['DATABASE_NOT_FOUND', 'an unknown database', server('3D000')],
    ['DATABASE_FULL', 'too many clients', server('53300', { routine: 'InitProcess' })],
    ['DATABASE_FULL', 'too many connections of the database', server('53300', { routine: 'CheckMyDatabase' })],
    [
      'ROLE_CONNECTION_LIMIT',
      'too many connections of the role',
      server('53300', { routine: 'InitializeSessionUserId' }),
    ],
    ['DATABASE_FULL', 'a server that can not fork', new NoProcess()],
    ['DATABASE_FULL', 'too few resources', server('53000')],
    ['DATABASE_FULL', 'too little memory', server('53200')],
    ['DATABASE_FULL', 'a limit of the configuration', server('53400')],
    ['DATABASE_ERROR', 'a full disk', server('53100')],
    ['DATABASE_ERROR', 'a disk that fails', server('58030')],
    ['ROLE_BUSY', 'a conflict with recovery', server('40001')],
    ['DATABASE_UNAVAILABLE', 'a server that is starting up', server('57P03')],
    ['DATABASE_UNAVAILABLE', 'a server that is shutting down', server('57P01')],
    ['DATABASE_UNAVAILABLE', 'a server that crashed', server('57P02')],
    ['DATABASE_UNAVAILABLE', 'a database without connections', server('55000')],
    [
      'DATABASE_UNAVAILABLE',
      'a recovery by another SQLSTATE',
      server('XX000', { message: 'the database system is in recovery mode' }),
    ],
    ['DATABASE_ERROR', 'a fault of the server', server('XX000')],
    ['DATABASE_CONNECTION_LOST', 'a protocol violation', server('08P01')],
    ['WRONG_PASSWORD', "PgBouncer's", server('08P01', { message: 'password authentication failed' })],
    ['WRONG_PASSWORD', "PgBouncer's, by SCRAM", server('08P01', { message: 'SASL authentication failed' })],
    ['WRONG_PASSWORD', "an old PgBouncer's", server('08P01', { message: 'auth failed' })],
    [
      'DATABASE_CONNECTION_LOST',
      'a start-up parameter that PgBouncer does not know',
      server('08P01', { message: 'unsupported startup parameter: password_auth' }),
    ],
    [
      'DATABASE_BEHIND_PROXY',
      'an RDS Proxy that does not know the user',
      server('28000', { message: 'This RDS proxy has no credentials for the role app' }),
    ],
    [
      'LOGIN_FORBIDDEN',
      'a user of IAM',
      server('28000', { message: 'PAM authentication failed for user "app"', routine: 'auth_failed' }),
    ],
    ['DATABASE_ERROR', 'an SQLSTATE that nobody knows', server('ZZ999')],
    ['AUTHENTICATION_UNSUPPORTED', 'GSSAPI', new AuthenticationUnsupported('GSSAPI')],
    ['SCRAM_ITERATIONS_TOO_HIGH', 'too many rounds', new TooManyIterations('600000000')],
    ['DATABASE_HOST_NOT_FOUND', 'an unknown name', system('ENOTFOUND')],
    ['DATABASE_HOST_NOT_FOUND', 'a DNS server that is down', system('EAI_AGAIN')],
    ['DATABASE_HOST_NOT_FOUND', 'a DNS server that refuses', system('EAI_FAIL')],
    ['DATABASE_HOST_NOT_FOUND', 'a resolver without memory', system('EAI_MEMORY')],
    ['DATABASE_HOST_NOT_FOUND', 'a name without an address', system('EAI_NODATA')],
    ['DATABASE_UNREACHABLE', 'a closed port', system('ECONNREFUSED')],
    ['DATABASE_UNREACHABLE', 'no route', system('EHOSTUNREACH')],
    ['DATABASE_UNREACHABLE', 'no network', system('ENETUNREACH')],
    ['DATABASE_UNREACHABLE', 'no answer to SYN', system('ETIMEDOUT')],
    ['DATABASE_CONNECTION_LOST', 'a reset', system('ECONNRESET')],
    ['DATABASE_CONNECTION_LOST', 'a server that hangs up', new Error('Connection terminated unexpectedly')],
    ['TLS_NOT_SUPPORTED', 'a server without TLS', new Error('The server does not support SSL connections')],
    ['TLS_UNTRUSTED_CERTIFICATE', 'an unknown CA', system('UNABLE_TO_VERIFY_LEAF_SIGNATURE')],
    ['TLS_UNTRUSTED_CERTIFICATE', 'an unknown issuer', system('UNABLE_TO_GET_ISSUER_CERT_LOCALLY')],
    ['TLS_UNTRUSTED_CERTIFICATE', 'a self-signed certificate', system('DEPTH_ZERO_SELF_SIGNED_CERT')],
    ['TLS_UNTRUSTED_CERTIFICATE', 'a self-signed CA', system('SELF_SIGNED_CERT_IN_CHAIN')],
    ['TLS_UNTRUSTED_CERTIFICATE', 'an expired certificate', system('CERT_HAS_EXPIRED')],
    ['TLS_WRONG_HOST', "another host's certificate", system('ERR_TLS_CERT_ALTNAME_INVALID')],
    ['TLS_FAILED', 'an old TLS version', system('ERR_SSL_UNSUPPORTED_PROTOCOL')],
    ['TLS_FAILED', 'something that is not TLS', system('EPROTO')],
    ['TLS_FAILED', 'garbage for an answer', new Error('There was an error establishing an SSL connection')],
    [
      'DATABASE_ERROR',
      'a server that does not know the password itself',
      new Error('SASL: SCRAM-SERVER-FINAL-MESSAGE: …'),
    ],
    ['DATABASE_CONNECTION_LOST', 'something that is no error', undefined],
  ])('%s is %s', (code, _, error) => {
    expect(meaningOf(error, 'connecting', true).code).toBe(code);
  });

  it('a pg_hba.conf that admits nobody without TLS is told from one that admits nobody', () => {
    const refused = server('28000', { routine: 'ClientAuthentication', message: 'kein pg_hba-Eintrag' });
    expect(meaningOf(refused, 'connecting', false).code).toBe('TLS_REQUIRED');
    expect(meaningOf(refused, 'connecting', true).code).toBe('LOGIN_FORBIDDEN');
  });
});

it('the remedy for a user of IAM is not to be found in pg_hba.conf', () => {
  const refused = server('28000', { message: 'PAM authentication failed for user "app"', routine: 'auth_failed' });
  const { remedy, what } = meaningOf(refused, 'connecting', true);
  expect(`${what} ${remedy}`).toMatch(/rds_iam/);
  expect(remedy).not.toContain('pg_hba');
});

it("a refusal by a function of pg_tle's is no broken connection, which would be tried again", () => {
  const refused = server('08000', { message: 'app is locked', routine: 'clientauth_hook' });
  expect(meaningOf(refused, 'connecting', true)).toMatchObject({
    code: 'LOGIN_FORBIDDEN',
    remedy: expect.stringContaining('pgtle.clientauth_users_to_skip'),
  });
  expect(meaningOf(server('08000'), 'connecting', true).code).toBe('DATABASE_CONNECTION_LOST');
});

it.each<[string, ServerSays, RegExp, RegExp]>([
  ['53300', { routine: 'InitProcess' }, /the server has no connection left/, /max_connections/],
  [
    '53300',
    { routine: 'CheckMyDatabase' },
    /the database's CONNECTION LIMIT/,
    /ALTER DATABASE \{database\} CONNECTION LIMIT/,
  ],
  ['53200', {}, /memory/, /^Nothing needs repair/],
  ['40001', {}, /collided/, /^Nothing needs repair/],
])('what is told of %s with %o names what is wrong', (state, says, found, remedy) => {
  const meaning = meaningOf(server(state, says), 'connecting', true);
  expect(meaning.what).toMatch(found);
  expect(meaning.remedy).toMatch(remedy);
  if (says.routine !== 'InitProcess') expect(meaning.remedy).not.toContain('max_connections');
});

describe('while working', () => {
  it.each<[string, string, unknown]>([
    ['DATABASE_READ_ONLY', 'a read-only transaction', server('25006')],
    ['PERMISSION_DENIED', 'a missing privilege', server('42501')],
    ['ROLE_BUSY', 'a lock that was not given', server('55P03')],
    ['ROLE_BUSY', 'a deadlock', server('40P01')],
    ['ROLE_BUSY', 'a serialization failure', server('40001')],
    ['DATABASE_FULL', 'too little memory', server('53200')],
    ['DATABASE_CONNECTION_LOST', "a time-out of the role's own", server('57P05')],
    ['DATABASE_CONNECTION_LOST', "a time-out of transactions of the role's own", server('25P04')],
    ['ROLE_BUSY', 'a concurrent ALTER ROLE', server('XX000', { message: 'tuple concurrently updated' })],
    ['ROLE_BUSY', 'a concurrent CREATE ROLE', server('23505')],
    ['ROLE_BUSY', 'a concurrent CREATE ROLE that was over a moment earlier', server('42710')],
    ['DATABASE_ERROR', 'another internal error', server('XX000')],
    ['DATABASE_TIMEOUT', 'a cancelled statement', server('57014')],
    ['PASSWORD_REFUSED_BY_POLICY', 'a password check', server('22023')],
    ['PASSWORD_REFUSED_BY_POLICY', "credcheck's rules", server('28000')],
    ['DATABASE_ERROR', 'a setting that is not valid (any more)', server('22023', { file: 'guc.c' })],
    ['DATABASE_UNAVAILABLE', 'an administrator who ends sessions', server('57P01')],
    ['DATABASE_CONNECTION_LOST', 'a reset', system('ECONNRESET')],
    ['DATABASE_CONNECTION_LOST', 'a broken pipe', system('EPIPE')],
    ['DATABASE_CONNECTION_LOST', 'a time-out of TCP', system('ETIMEDOUT')],
    ['DATABASE_ERROR', 'a wrong password of something else', server('28P01')],
  ])('%s is %s', (code, _, error) => {
    expect(meaningOf(error, 'working', true).code).toBe(code);
  });
});

describe('the error that others see', () => {
  it('says in one sentence what was needed and what was found, and has the rest as fields', () => {
    const cause = server('3D000', { message: 'database "shop" does not exist' });
    const error = databaseError(meaningOf(cause, 'connecting', true), cause, FACTS, asItIs);
    expect(error.message).toMatch(/^A session with db\.example\.com:5432 as app was needed, but .*does not exist.*\.$/);
    expect(error).toMatchObject({ code: 'DATABASE_NOT_FOUND', facts: { ...FACTS, reason: '3D000' } });
    expect(error.remedy).toContain('dbname');
  });

  it('quotes the server only as redacted', () => {
    const cause = server('22023', { message: 'password hunter2 is too short' });
    const redact = (text: string) => text.replaceAll('hunter2', '[redacted]');
    const error = databaseError(meaningOf(cause, 'working', true), cause, FACTS, redact);
    expect(error.message).toContain('password [redacted] is too short');
    expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain('hunter2');
    expect(error.cause).toBeUndefined();
  });

  it('quotes nobody but the server', () => {
    const cause = system('ECONNRESET', 'read ECONNRESET hunter2');
    const error = databaseError(meaningOf(cause, 'working', true), cause, FACTS, asItIs);
    expect(error.message).not.toContain('hunter2');
    expect(error.facts.reason).toBe('ECONNRESET');
  });

  it('has no reason where there is none', () => {
    const error = databaseError(TIMED_OUT, TIMED_OUT, FACTS, asItIs);
    expect(error.code).toBe('DATABASE_TIMEOUT');
  });

  it('never shows WRONG_PASSWORD, which is an outcome and no error', () => {
    const cause = server('28P01');
    expect(databaseError(meaningOf(cause, 'connecting', true), cause, FACTS, asItIs).code).toBe(
      'PASSWORD_NOT_ACCEPTED',
    );
  });
});
