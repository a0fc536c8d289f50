import { DatabaseError } from 'pg';
import { describe, expect, it } from 'vitest';
import { meaningOf } from '../../../shared/database/connect-error.ts';
import { iamMeaning, TokenNotAsked } from '../../../shared/database/iam-login.ts';

const server = (code: string, facts: { readonly routine?: string; readonly message?: string } = {}) =>
  Object.assign(new DatabaseError(facts.message ?? 'in any language', 0, 'error'), { code, ...facts });
const ofToken = (error: unknown) => iamMeaning(error, meaningOf(error, 'connecting', true));

describe('a login by IAM', () => {
  it.each<[string, unknown]>([
    ["RDS's refusal", server('28000', { message: 'PAM authentication failed for user "x"', routine: 'auth_failed' })],
    ['the same in another language', server('28000', { routine: 'auth_failed' })],
    ['a wrong password', server('28P01', { routine: 'auth_failed' })],
    ['a request for a password', new TokenNotAsked('md5')],
  ])('that meets %s was refused its token', (_, error) => {
    const { code, remedy } = ofToken(error);
    expect(code).toBe('IAM_LOGIN_REFUSED');
    expect(remedy).toContain('GRANT rds_iam TO {role};');
  });

  it.each<[string, string, unknown]>([
    ['NOLOGIN', 'LOGIN_FORBIDDEN', server('28000', { routine: 'InitializeSessionUserId' })],
    ['no line in pg_hba.conf', 'LOGIN_FORBIDDEN', server('28000', { routine: 'ClientAuthentication' })],
    ['no room', 'DATABASE_FULL', server('53300')],
    ['a closed port', 'DATABASE_UNREACHABLE', Object.assign(new Error(), { code: 'ECONNREFUSED' })],
  ])('that meets %s is told what any is', (_, code, error) => {
    expect(ofToken(error)).toEqual(meaningOf(error, 'connecting', true));
    expect(ofToken(error).code).toBe(code);
  });

  it.each([
    ['TLS_NOT_SUPPORTED', new Error('The server does not support SSL connections')],
    ['TLS_WRONG_HOST', Object.assign(new Error(), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })],
  ])('has no remedy that would send a token otherwise (%s)', (code, error) => {
    const meaning = ofToken(error);
    expect(meaning.code).toBe(code);
    expect(meaning.remedy).not.toMatch(/"ssl"|sslhostname/);
  });
});
