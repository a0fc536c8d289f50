import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { asRotationError, RotationError } from '../../shared/errors.ts';

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

describe('a remedy that names what is not known yet', () => {
  const remedy =
    'GRANT CONNECT ON DATABASE {database} TO {role}; aws … --secret-id {secretArn} --version-id {versionId}';
  const error = new RotationError('LOGIN_FORBIDDEN', 'A login was needed, and it was refused.', {
    remedy,
    username: `a"b$&`,
  });

  it('gets each name, quoted for SQL, as soon as somebody knows it', () => {
    expect(error.remedy).toBe(remedy.replace('{role}', () => `"a""b$&"`));
    const { remedy: complete } = error.with({ database: 'shop', secretArn: 'arn:secret', versionId: 'v1' });
    expect(complete).toBe(`GRANT CONNECT ON DATABASE "shop" TO "a""b$&"; aws … --secret-id arn:secret --version-id v1`);
  });

  it('is left as it is where nobody does', () => {
    expect(new RotationError('UNEXPECTED', 'x', { remedy }).remedy).toBe(remedy);
  });
});
