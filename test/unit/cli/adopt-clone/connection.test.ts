import { expect, test } from 'vitest';
import { connectionFrom } from '../../../../cli/adopt-clone/connection.ts';

test('is what the environment says', () => {
  const environment = {
    PGHOST: 'db.example.com',
    PGPORT: '6543',
    PGUSER: 'admin',
    PGPASSWORD: 'secret',
    PGDATABASE: 'shop',
    PGOPTIONS: '-c search_path=evil',
    PGAPPNAME: 'psql',
    PGSSLMODE: 'disable',
  };
  expect(connectionFrom(environment)).toEqual({
    host: 'db.example.com',
    port: 6543,
    user: 'admin',
    password: 'secret',
    database: 'shop',
    ssl: false,
    application_name: 'adopt-clone',
  });
});

test.each([
  {},
  { PGHOST: '', PGPORT: '', PGDATABASE: '', PGSSLMODE: '' },
])('is the postgres database of this machine, over verified TLS, where the environment says nothing: %j', (environment) => {
  expect(connectionFrom({ ...environment, PGUSER: 'admin' })).toMatchObject({
    host: 'localhost',
    port: 5432,
    user: 'admin',
    password: '',
    database: 'postgres',
    ssl: true,
  });
});

test.each(['prefer', 'require', 'verify-ca', 'verify-full'])('PGSSLMODE=%s is TLS, verified', (PGSSLMODE) => {
  expect(connectionFrom({ PGUSER: 'admin', PGSSLMODE }).ssl).toBe(true);
});

test('PGSSLMODE=no-verify is TLS without verification', () => {
  expect(connectionFrom({ PGUSER: 'admin', PGSSLMODE: 'no-verify' }).ssl).toEqual({ rejectUnauthorized: false });
});

test.each([
  [{}, 'PGUSER is needed'],
  [{ PGUSER: '' }, 'PGUSER is needed'],
  [{ PGUSER: 'admin', PGPORT: '5432a' }, 'PGPORT must be a number from 1 to 65535, and is "5432a".'],
  [{ PGUSER: 'admin', PGPORT: '0' }, 'PGPORT must be a number from 1 to 65535, and is "0".'],
  [{ PGUSER: 'admin', PGPORT: '65536' }, 'PGPORT must be'],
  [{ PGUSER: 'admin', PGSSLMODE: 'allow' }, 'PGSSLMODE must be verify-full'],
  [{ PGUSER: 'admin', PGSSLMODE: 'verfy-full' }, 'and is "verfy-full".'],
])('refuses %j, and never falls back to plain text', (environment, sentence) => {
  expect(() => connectionFrom(environment)).toThrow(sentence);
});
