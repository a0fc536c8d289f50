import { describe, expect, test } from 'vitest';
import { mayStandIn } from '../../../client/other-version.ts';
import { parseDatabaseSecret } from '../../../shared/secret/database-secret.ts';

const SECRET = { engine: 'postgres', host: 'db.example.com', username: 'app', password: 'a password' };

const secret = (members: object = {}) => parseDatabaseSecret(JSON.stringify({ ...SECRET, ...members }));
const standsIn = (other: object, current: object = {}) => mayStandIn(secret(other), secret(current));

describe('the login of another version stands in', () => {
  test.each([
    ['for the same user', {}, {}],
    ['for the twin', { username: 'app_clone' }, {}],
    ['for the base user', {}, { username: 'app_clone' }],
    ['at the same host, written otherwise', { host: 'DB.example.com.' }, {}],
    ['for the same database', { dbname: 'shop' }, { dbname: 'shop' }],
    ['with the port and the database spelt out', { port: '5432', dbname: 'postgres' }, {}],
    [
      'with those of Redshift spelt out',
      { engine: 'redshift', port: 5439, dbname: 'dev' },
      { engine: 'redshift', dbname: null },
    ],
    ['where the connection is better protected now', { ssl: false }, { ssl: true }],
    ['in clear, where it was always so', { ssl: false }, { ssl: false }],
    ['with the name of the certificate spelt out', { sslhostname: 'db.example.com' }, {}],
  ])('%s', (_, other, current) => expect(standsIn(other, current)).toBe(true));
});

describe('the login of another version is not sent', () => {
  test.each([
    ['as another user', { username: 'admin' }, {}],
    ['as a user whose name only begins alike', { username: 'app_clone_clone' }, {}],
    ['to another host', {}, { host: 'elsewhere.example.com' }],
    ['to another port', {}, { port: 6543 }],
    ['to another database', {}, { dbname: 'theirs' }],
    ['to the default database, where it named one', { dbname: 'shop' }, {}],
    ['to what another engine has by default', { port: 5432 }, { engine: 'redshift', port: 5432 }],
    ['in clear, where it asked for TLS', { ssl: true }, { ssl: false }],
    ['in clear, where it said nothing of TLS', {}, { ssl: false }],
    ['to who has a certificate of another name', {}, { sslhostname: 'elsewhere.example.com' }],
    ['to who has lost the name that it asked for', { sslhostname: 'db.internal' }, {}],
  ])('%s', (_, other, current) => expect(standsIn(other, current)).toBe(false));
});
