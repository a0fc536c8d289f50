import { describe, expect, it } from 'vitest';
import { judgeCopies } from '../../../cli/doctor/copy-checks.ts';
import { parseDatabaseSecret } from '../../../shared/secret/database-secret.ts';
import { secretText } from '../../support/fake-rotation.ts';

const URL = 'postgres://app:old@db/shop';
const judged = (members: Readonly<Record<string, unknown>>, CONNECTION_STRING_KEYS?: string) =>
  judgeCopies(
    parseDatabaseSecret(secretText(members)),
    CONNECTION_STRING_KEYS === undefined ? {} : { CONNECTION_STRING_KEYS },
  );

describe('copies of the login in the secret', () => {
  it('are not spoken of where there are none', () => {
    expect(judged({ note: 'the old one', count: 1 })).toEqual([]);
    expect(judged({}, 'DATABASE_URL')).toEqual([]);
  });

  it('are named where the function does not rewrite them', () => {
    const [finding, ...others] = judged({ DATABASE_URL: URL, PGPASSWORD: 'old', jdbcUrl: URL }, 'jdbcUrl');
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ check: 'copies', state: 'warning' });
    expect(finding?.message).toContain('"DATABASE_URL", "PGPASSWORD"');
    expect(finding?.remedy).toContain('CONNECTION_STRING_KEYS=jdbcUrl,DATABASE_URL,PGPASSWORD');
  });

  it('are well where it does', () => {
    expect(judged({ DATABASE_URL: URL }, 'DATABASE_URL')).toMatchObject([{ state: 'ok' }]);
  });

  it('are broken where a listed key holds another login, as for the function', () => {
    expect(judged({ DATABASE_URL: 'postgres://app:older@db/shop' }, 'DATABASE_URL')).toMatchObject([
      { state: 'broken' },
    ]);
  });

  it('are named where there is no function, with what one would need', () => {
    const secret = (members: Readonly<Record<string, unknown>>) => parseDatabaseSecret(secretText(members));
    expect(judgeCopies(secret({}), undefined)).toEqual([]);
    expect(judgeCopies(secret({ DATABASE_URL: URL }), undefined)).toMatchObject([
      { state: 'warning', remedy: expect.stringContaining('CONNECTION_STRING_KEYS=DATABASE_URL.') },
    ]);
  });

  it('are judged without a list where the environment can not be read', () => {
    expect(judged({ DATABASE_URL: URL }, 'password')).toMatchObject([{ state: 'warning' }]);
  });
});
