import { describe, expect, it } from 'vitest';
import { needSpellable } from '../../../shared/database/role-names.ts';
import { FakeSession } from '../../support/fake-session.ts';

function spelling(encoding: string, ...names: string[]) {
  const session = new FakeSession();
  session.encoding = encoding;
  return () => needSpellable(session, names);
}

describe('the name of a role', () => {
  it.each(['app', 'we"ird; --', '', 'a~ b'])('in ASCII is the same in every database: %j', (name) => {
    for (const encoding of ['UTF8', 'LATIN1', 'SQL_ASCII', 'EUC_JP']) expect(spelling(encoding, name)).not.toThrow();
  });

  it.each([
    'café',
    'e\u0301',
    '火',
    'a\u00a0b',
    'tab\tbed',
  ])('in other letters is that of a role only in UTF8: %s', (name) => {
    expect(spelling('UTF8', 'app', name)).not.toThrow();
    for (const encoding of ['LATIN1', 'SQL_ASCII', 'WIN1252', ''])
      expect(spelling(encoding, 'app', name)).toThrow(
        expect.objectContaining({
          code: 'ROLE_NAME_ENCODING',
          facts: expect.objectContaining({ username: name, database: 'shop' }),
          remedy: expect.stringContaining('pg_encoding_to_char'),
        }),
      );
  });
});
