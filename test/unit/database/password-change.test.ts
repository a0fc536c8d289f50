import { describe, expect, it } from 'vitest';
import { changeSettings } from '../../../shared/database/password-change.ts';
import { FakeSession } from '../../support/fake-session.ts';
import { USUAL_SERVER } from '../../support/opened-role.ts';

describe('the settings of a transaction that changes a password', () => {
  const settings = (version: string, server = USUAL_SERVER, scram = true) =>
    changeSettings(Object.assign(new FakeSession(), { version }), server, scram);

  it.each([
    ['14.20', false, false],
    ['15.15', false, false],
    ['16.11', true, false],
    ['17.7', true, false],
    ['18.1', true, true],
  ])('are those that PostgreSQL %s knows', (version, hasIterations, warnsOfMd5) => {
    expect(settings(version).includes('SET LOCAL scram_iterations = 4096;')).toBe(hasIterations);
    expect(settings(version).includes('SET LOCAL md5_password_warnings = off;')).toBe(warnsOfMd5);
  });

  it('have a COMMIT that has been answered outlast a crash of the server', () => {
    expect(settings('18.1')).toContain("('synchronous_commit', 'off', 'local')");
  });

  it('keep a password for SCRAM where the server would store md5', () => {
    const md5 = { ...USUAL_SERVER, method: 'md5' } as const;
    const wanted = "SET LOCAL password_encryption = 'scram-sha-256';";
    expect(settings('18.1', md5)).toContain(wanted);
    expect(settings('18.1', md5, false)).not.toContain(wanted);
    expect(settings('18.1')).not.toContain(wanted);
  });
});
