/** How remedies read as they stand in the sources: this says nothing of what the code does, and so nothing to mutation testing. */
import { readdir, readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { type DatabaseErrorMeaning, meaningOf } from '../../../shared/database/connect-error.ts';
import { RotationError, type RotationErrorCode } from '../../../shared/errors.ts';
import { editsCurrent } from '../../../shared/rotation/remedies.ts';

/** How remedies speak of an edit of the secret that is rotated. */
const EDIT =
  /\b(into|correct|check|remove|add) "(host|port|dbname|ssl|username|sslhostname|masterarn)"|"ssl": false (in|from)|put-secret-value/i;

/** Remedies that have the secret edited, as they stand in the sources, by the code that comes before each. */
async function remediesIn(path: string): Promise<{ code: string; remedy: string }[]> {
  const source = await readFile(new URL(`../../../shared/${path}`, import.meta.url), 'utf8');
  const codes = Array.from(source.matchAll(/'([A-Z]+(?:_[A-Z]+)+)'/g), (match) => ({
    at: match.index,
    code: match[1],
  }));
  return Array.from(source.matchAll(/'(?:\\.|[^'\\\n])+'|"(?:\\.|[^"\\\n])+"|`(?:\\.|[^`\\])+`/g), (match) => ({
    code: codes.findLast(({ at }) => at < match.index)?.code ?? '',
    remedy: match[0].slice(1, -1),
  })).filter(({ remedy }) => EDIT.test(remedy));
}

const folder = (name: string) => readdir(new URL(`../../../shared/${name}/`, import.meta.url));

const error = (code: RotationErrorCode, facts: object = {}) =>
  new RotationError(code, 'Something was needed, and it was not found.', {
    remedy: 'Edit "host" in the secret.',
    ...facts,
  });

async function allRemedies() {
  const folders = await Promise.all(
    ['database', 'rotation', 'secret', 'aws'].map(async (name) =>
      (await folder(name)).map((file) => `${name}/${file}`),
    ),
  );
  return (await Promise.all(folders.flat().map(remediesIn))).flat();
}

it('every text in the sources that has AWSCURRENT edited is of a code that is known for it', async () => {
  const editing = await allRemedies();
  expect(editing.length).toBeGreaterThan(15);
  const codes = new Set(editing.map(({ code }) => code));
  const known = (code: string) =>
    editsCurrent(error(code as RotationErrorCode, { credential: 'current', key: 'masterarn' }));
  expect([...codes].filter((code) => !known(code))).toEqual([]);
});

it('every command that stores a value says where it has it from, without which the AWS CLI refuses it', async () => {
  const storing = (await allRemedies()).map(({ remedy }) => remedy).filter((remedy) => /put-secret-value/.test(remedy));
  expect(storing.length).toBeGreaterThan(2);
  for (const remedy of storing) expect(remedy).toContain(' --secret-string file://');
});

it.each<[string, unknown]>([
  ['a server that hangs up', new Error('Connection terminated unexpectedly')],
  [
    'a server that does not know the password',
    new Error('SASL: SCRAM-SERVER-FINAL-MESSAGE: server signature does not match'),
  ],
])('a remedy edits nothing for %s', (_, thrown) => {
  const { code, remedy }: DatabaseErrorMeaning = meaningOf(thrown, 'connecting', true);
  expect(code === 'WRONG_PASSWORD' || editsCurrent(error(code)) || EDIT.test(remedy)).toBe(false);
});
