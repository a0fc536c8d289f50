import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { asRotationError, quotedName, quotedText, RotationError } from '../../shared/errors.ts';

const SECRET = 'hunter2-hunter2';

/** Everything of an error that a log line, a console or a caller could show. */
const everything = (error: Error) =>
  [error.message, error.stack, String(error), JSON.stringify(error), inspect(error)].join('\n');

describe('whatever is thrown becomes a RotationError', () => {
  it('and one that is one already stays itself', () => {
    const error = new RotationError('ROLE_BUSY', 'The role was needed, and it was busy.', { remedy: 'Wait.' });
    expect(asRotationError(error)).toBe(error);
  });

  it.each<[string, unknown, string]>([
    ['an Error', new TypeError(`cannot read ${SECRET}`), 'TypeError'],
    [
      'a message of several lines that look like a stack',
      new Error(`first\n    at ${SECRET}\n  at ${SECRET} (x.ts:1:2)`),
      'Error',
    ],
    ['an Error with a cause', new Error('outside', { cause: new Error(SECRET) }), 'Error'],
    ['an Error with fields', Object.assign(new Error('x'), { password: SECRET }), 'Error'],
    ['an error of several', new AggregateError([new Error(SECRET)], SECRET), 'AggregateError'],
    [
      'an Error whose message was changed after its stack was taken',
      Object.assign(new Error(SECRET), { message: 'x' }),
      'Error',
    ],
    ['a string', SECRET, 'string'],
    ['an object', { password: SECRET }, 'object'],
    ['nothing', undefined, 'undefined'],
    ['null', null, 'object'],
  ])('without what %s says', (_, thrown, reason) => {
    const error = asRotationError(thrown);
    expect(error).toBeInstanceOf(RotationError);
    expect(error).toMatchObject({ code: 'UNEXPECTED', facts: { reason } });
    expect(everything(error)).not.toContain(SECRET);
    expect(error.cause).toBeUndefined();
  });

  it('and keeps the places in the code that an Error came from', () => {
    expect(asRotationError(new RangeError(SECRET)).stack).toMatch(
      /^RotationError: [^\n]*RangeError[^\n]*\n\s+at .*errors\.test\.ts/,
    );
  });
});

describe('facts that an outer layer adds', () => {
  const inner = new RotationError('DATABASE_FULL', 'A connection was needed, and none was left.', {
    remedy: 'Close some.',
    host: 'inner',
  });

  it('stand beside those that are there already, which win', () => {
    expect(inner.with({ host: 'outer', step: 'setSecret' }).facts).toEqual({
      remedy: 'Close some.',
      host: 'inner',
      step: 'setSecret',
    });
  });

  it('leave code, message, remedy and stack as they are', () => {
    const outer = inner.with({ step: 'setSecret' });
    expect([outer.code, outer.message, outer.remedy, outer.stack]).toEqual([
      inner.code,
      inner.message,
      inner.remedy,
      inner.stack,
    ]);
    expect(inner.facts).not.toHaveProperty('step');
  });
});

describe('a remedy that has a secret edited', () => {
  it.each([
    ['the superuser secret', 'superuser'],
    ['the secret', 'current'],
    ['the secret', undefined],
  ] as const)('says that it is %s where the credential is %s', (secret, credential) => {
    const error = new RotationError('DATABASE_NOT_FOUND', 'x', { remedy: 'Correct "dbname" in {secret}.' });
    const { remedy } = credential === undefined ? error : error.with({ credential });
    expect(remedy).toBe(`Correct "dbname" in ${secret}.`);
  });
});

describe('a remedy that names what is not known yet', () => {
  const remedy =
    'GRANT CONNECT ON DATABASE {database} TO {role}; aws … --secret-id {secretArn} --version-id {versionId}';
  const error = new RotationError('LOGIN_FORBIDDEN', 'A login was needed, and it was refused.', {
    remedy,
    username: `a"b$&`,
  });

  it('gets each name, quoted for SQL, as soon as somebody knows it', () => {
    expect(error.remedy).toBe(
      'GRANT CONNECT ON DATABASE DATABASE_NAME TO "a""b$&"; aws … --secret-id SECRET_ARN --version-id VERSION_ID',
    );
    const { remedy: complete } = error.with({ database: 'shop', secretArn: 'arn:secret', versionId: 'v1' });
    expect(complete).toBe(`GRANT CONNECT ON DATABASE "shop" TO "a""b$&"; aws … --secret-id arn:secret --version-id v1`);
  });

  it('names in capitals, as a manual does, what nobody knows', () => {
    expect(new RotationError('UNEXPECTED', 'x', { remedy }).remedy).toBe(
      'GRANT CONNECT ON DATABASE DATABASE_NAME TO ROLE_NAME; aws … --secret-id SECRET_ARN --version-id VERSION_ID',
    );
  });
});

describe('a name that was made to do harm', () => {
  const remedy = 'REVOKE rds_iam FROM {role}; ALTER DATABASE {database} RESET role;';

  it('is no place to be filled, whatever is filled in before or after it', () => {
    const error = new RotationError('LOGIN_FORBIDDEN', 'x', { remedy, username: 'a{database}b' });
    const database = '; ALTER ROLE mallory SUPERUSER; --{role}{secretArn}';
    for (const filled of [
      error.with({ database, secretArn: 'arn' }),
      error.with({ secretArn: 'arn' }).with({ database }),
      error.with({ database }).with({ secretArn: 'arn' }).withRemedy(remedy),
    ]) {
      expect(filled.remedy).toBe(
        'REVOKE rds_iam FROM U&"a\\+00007bdatabase}b"; ALTER DATABASE U&"; ALTER ROLE mallory SUPERUSER; --\\+00007brole}\\+00007bsecretArn}" RESET role;',
      );
    }
  });

  it.each([
    ['app', '"app"'],
    ['a"b', '"a""b"'],
    ['a\\b', '"a\\b"'],
    ['app\nALTER ROLE mallory SUPERUSER; --', 'U&"app\\+00000aALTER ROLE mallory SUPERUSER; --"'],
    ['a\r"\\', 'U&"a\\+00000d""\\\\"'],
    ['a\u2028b', 'U&"a\\+002028b"'],
    ['a\u202eb', 'U&"a\\+00202eb"'],
    ['\u{e0001}', 'U&"\\+0e0001"'],
    ['\u001b[2J', 'U&"\\+00001b[2J"'],
    ['café', '"café"'],
  ])('stays on its line, as SQL that means the same: %j', (name, quoted) => {
    expect(quotedName(name)).toBe(quoted);
  });

  it.each([
    ["o'clock", "'o''clock'"],
    // With standard_conforming_strings off, a plain literal would end early.
    ["a\\' --", "U&'a\\\\'' --'"],
    ['a\nb', "U&'a\\+00000ab'"],
  ])('the same as a text: %j', (text, quoted) => {
    expect(quotedText(text)).toBe(quoted);
  });

  it('steers no terminal from a message or a remedy', () => {
    const error = new RotationError('UNEXPECTED', 'a\u001b[2Jb\r\nc\u202ed', {
      remedy: 'e\u009bf {role}',
      username: '\u0007',
    });
    expect(error.message).toBe('a\\u001b[2Jb\\u000d\\u000ac\\u202ed');
    expect(error.remedy).toBe('e\\u009bf U&"\\+000007"');
  });

  it('nor does the template tell more than the remedy: it is in no log line', () => {
    const error = new RotationError('UNEXPECTED', 'x', { remedy, username: 'app' });
    expect(error.template).toBe(remedy);
    expect(error.with({ database: 'shop' }).template).toBe(remedy);
    expect(JSON.stringify(error)).not.toContain('{role}');
  });

  it('nor do facts that stand already get another remedy, when the remedy is replaced', () => {
    const error = new RotationError('DATABASE_FULL', 'x', { remedy, username: 'app', database: 'shop' });
    const replaced = error.withRemedy('DROP {database};');
    expect(replaced).toMatchObject({ code: 'DATABASE_FULL', message: 'x', remedy: 'DROP "shop";', stack: error.stack });
    expect(replaced.facts).toMatchObject({ username: 'app', database: 'shop' });
  });
});
