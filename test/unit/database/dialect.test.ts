import { describe, expect, it } from 'vitest';
import { dialectOf, needEngine } from '../../../shared/database/dialect.ts';
import { redshift } from '../../../shared/database/redshift.ts';
import { parseDatabaseSecret } from '../../../shared/secret/database-secret.ts';

const secretFor = (engine: string) =>
  parseDatabaseSecret(JSON.stringify({ engine, host: 'db', username: 'app', password: 'old' }));

const judged = (engine: string, version: string, part = [redshift]) =>
  needEngine(secretFor(engine), { version }, part[0]);

describe('a server', () => {
  it.each([
    ['postgres', '18.1'],
    ['postgres', '16.4 (Debian 16.4-1)'],
    ['postgres', '9.6.24'],
    ['postgres', ''],
    ['aurora-postgresql', '14.9'],
    ['redshift', '8.0.2'],
  ])('is what the secret says: %s, %s', (engine, version) => {
    expect(() => judged(engine, version)).not.toThrow();
  });

  it.each([
    ['redshift', '18.1', 'postgres'],
    ['redshift', '8.4', 'postgres'],
    ['redshift', '80.0', 'postgres'],
    ['redshift', '', 'postgres'],
    ['postgres', '8.0.2', 'redshift'],
    ['aurora-postgresql', '8.0.2', 'redshift'],
  ])('that is another is refused with the engine that it has: %s, %s', (engine, version, needed) => {
    expect(() => judged(engine, version)).toThrow(
      expect.objectContaining({
        code: 'SECRET_MALFORMED',
        message: `The secret's value can't be used: engine: "${needed}" was needed for this server, found "${engine}".`,
        remedy: expect.stringContaining('Correct "engine" with `aws secretsmanager put-secret-value'),
        facts: expect.objectContaining({ key: 'engine' }),
      }),
    );
  });

  it('of Amazon Redshift is none for alternating users, whatever the secret says', () => {
    const refused = expect.objectContaining({ code: 'ENGINE_UNSUPPORTED' });
    expect(() => judged('postgres', '8.0.2', [])).toThrow(refused);
    expect(() => dialectOf(secretFor('redshift'), undefined)).toThrow(refused);
  });
});
