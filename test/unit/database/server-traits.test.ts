import { describe, expect, it } from 'vitest';
import {
  encryptionOf,
  isSilent,
  majorVersion,
  needSilence,
  type ServerTraits,
} from '../../../shared/database/server-traits.ts';
import { FakeSession } from '../../support/fake-session.ts';
import { USUAL_SERVER } from '../../support/opened-role.ts';

const SILENT: ServerTraits = { ...USUAL_SERVER, iterations: 5_000 };

describe('how a new password is stored', () => {
  it.each([
    ['scram-sha-256', 5_000, true, { method: 'scram-sha-256', iterations: 5_000 }],
    ['scram-sha-256', 5_000, false, { method: 'scram-sha-256', iterations: 5_000 }],
    ['scram-sha-256', null, true, { method: 'scram-sha-256', iterations: 4_096 }],
    ['md5', null, false, { method: 'md5' }],
    // Who logs in by SCRAM may be let in by nothing else.
    ['md5', 5_000, true, { method: 'scram-sha-256', iterations: 5_000 }],
    ['md5', null, true, { method: 'scram-sha-256', iterations: 4_096 }],
  ] as const)('where the server says %s, %s and the login was by SCRAM: %s', (method, iterations, scram, expected) => {
    expect(encryptionOf({ ...SILENT, method, iterations }, scram)).toEqual(expected);
  });
});

describe('a clear password', () => {
  const asked =
    (traits: Partial<ServerTraits>, actor = 'app') =>
    () =>
      needSilence(new FakeSession(), { ...SILENT, ...traits }, actor);

  it('may be sent where the silent way is open', () => {
    expect(isSilent(SILENT)).toBe(true);
    expect(asked({})).not.toThrow();
  });

  it.each<[Partial<ServerTraits>, string]>([
    [{ mayUseTemp: false }, 'GRANT TEMP ON DATABASE "shop" TO "we""ird";'],
    [{ mayUsePlpgsql: false }, 'GRANT USAGE ON LANGUAGE plpgsql TO "we""ird";'],
    [{ ddlTriggers: ['au"dit'] }, 'ALTER EVENT TRIGGER "au""dit" DISABLE;'],
    [{ statistics: ['log_parser_stats'] }, 'ALTER SYSTEM SET log_parser_stats = off; SELECT pg_reload_conf();'],
  ])('is refused where it is not, with a remedy for the cause: %o', (traits, remedy) => {
    // A verifier may be logged with such statistics: no password is seen.
    expect(isSilent({ ...SILENT, ...traits })).toBe(traits.statistics !== undefined);
    expect(asked(traits, 'we"ird')).toThrow(
      expect.objectContaining({
        code: 'PASSWORD_WOULD_BE_LOGGED',
        remedy: expect.stringMatching(/PASSWORD_HASHING=client/),
        facts: expect.objectContaining({ remedy: expect.stringContaining(remedy) }),
      }),
    );
  });

  it('is refused with all causes at once', () => {
    expect(asked({ mayUseTemp: false, mayUsePlpgsql: false, ddlTriggers: ['a', 'b'] })).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/no temporary table, .*plpgsql, .*"a" watches DDL, .*"b" watches DDL\.$/),
        remedy: expect.stringMatching(/GRANT TEMP.*GRANT USAGE.*"a" DISABLE.*"b" DISABLE/),
      }),
    );
  });
});

it.each([
  ['18.1', 18],
  ['16.4 (Debian 16.4-1.pgdg120+1)', 16],
  ['14beta2', 14],
  ['17devel', 17],
])('the major version of %s is %d', (version, major) => {
  expect(majorVersion({ version })).toBe(major);
});
