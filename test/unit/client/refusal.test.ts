import { DatabaseError } from 'pg';
import { describe, expect, test } from 'vitest';
import { isRefusedPassword } from '../../../client/index.ts';

function serverError(fields: Partial<DatabaseError>, message = 'an error'): DatabaseError {
  return Object.assign(new DatabaseError(message, 0, 'error'), fields);
}

describe('a refused password is', () => {
  test.each([
    ['28P01 of PostgreSQL, in whatever language', serverError({ code: '28P01' }, 'Passwort-Authentifizierung für …')],
    ['28000 of Redshift', serverError({ code: '28000', routine: 'auth_failed' })],
    [
      'what RDS Proxy says of a user that it does not know',
      serverError({ code: '28000' }, 'This RDS proxy has no credentials for the role app. Check the credentials for …'),
    ],
    ['one of another copy of the driver', Object.assign(new Error('refused'), { code: '28P01' })],
  ])('%s', (_, error) => expect(isRefusedPassword(error)).toBe(true));
});

describe('a refused password is not', () => {
  test.each([
    ['a host that pg_hba.conf rejects', serverError({ code: '28000', routine: 'ClientAuthentication' })],
    ['a role that may not log in', serverError({ code: '28000', routine: 'InitializeSessionUserId' })],
    ['a full server', serverError({ code: '53300' })],
    ['a refused connection', Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })],
    ['a wrong certificate', Object.assign(new Error('altnames'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })],
    ['what a network says with the words of a proxy', new Error('no credentials for the role')],
    ['a text', '28P01'],
    ['nothing', undefined],
  ])('%s', (_, error) => expect(isRefusedPassword(error)).toBe(false));
});
