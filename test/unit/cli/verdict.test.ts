import { describe, expect, it } from 'vitest';
import { judgeConnection, judgeLogins, type Label, type LoginFacts } from '../../../cli/doctor/database-checks.ts';
import { type Fix, planRepair } from '../../../cli/doctor/fixes.ts';
import { judgeLabels, type LabelFacts } from '../../../cli/doctor/secret-checks.ts';
import { judgeLockout, nextStep } from '../../../cli/doctor/verdict.ts';
import { RotationError, type RotationErrorCode } from '../../../shared/errors.ts';
import { parseDatabaseSecret } from '../../../shared/secret/database-secret.ts';
import { failure, labels, NOW } from '../../support/label-facts.ts';

describe('a repair', () => {
  const accepted = { outcome: 'accepted' } as const;
  const refused = { outcome: 'refused' } as const;
  const unfit = {
    ...accepted,
    unfit: new RotationError('TWIN_DIFFERS', 'It differs.', { remedy: 'Mend it.' }),
  } as const;
  const repair = (facts: LabelFacts, logins: object = {}) =>
    planRepair({ labels: facts, current: undefined, pending: undefined, previous: undefined, ...logins }, NOW);
  const plan = (facts: LabelFacts, logins: object = {}) => repair(facts, logins).fix?.name;
  const withPrevious = (facts: LabelFacts): LabelFacts => ({
    ...facts,
    stages: { ...facts.stages, zero: ['AWSPREVIOUS'] },
  });

  it('takes off a stuck AWSPENDING that has no value', () => {
    expect(plan(labels(20))).toBe('take-off-pending');
  });

  it('leaves a rotation alone that may be under way, and says until when', () => {
    expect(repair(labels(2))).toEqual({ waitsUntil: new Date('2026-03-01T12:13:00.001Z') });
    expect(repair(labels(2, {}, true), { current: refused, pending: accepted }).waitsUntil).toBeDefined();
    expect(repair(labels(2, {}, true), { current: refused, pending: refused })).toEqual({});
  });

  it('takes AWSPENDING off a value only where AWSCURRENT is proven to work', () => {
    expect(plan(labels(20, {}, true))).toBeUndefined();
    expect(plan(labels(20, {}, true), { current: refused, pending: refused })).toBeUndefined();
    expect(plan(labels(20, {}, true), { current: accepted, pending: refused })).toBe('take-off-pending');
  });

  it('promotes AWSPENDING where it alone works, also as soon as an attempt has failed', () => {
    const logins = { current: refused, pending: accepted };
    expect(plan(labels(20, {}, true), logins)).toBe('promote-pending');
    expect(plan(labels(1, { failure }, true), logins)).toBe('promote-pending');
    expect(plan(labels(20, {}, true), { current: refused })).toBeUndefined();
    expect(plan(labels(20, {}, true), { current: refused, pending: unfit })).toBeUndefined();
  });

  it('goes back to AWSPREVIOUS where the server accepts that alone, as after a restore', () => {
    const logins = { current: refused, previous: accepted };
    expect(plan(withPrevious(labels(undefined)), logins)).toBe('restore-previous');
    expect(plan(withPrevious(labels(20, {}, true)), { ...logins, pending: refused })).toBe('restore-previous');
    expect(plan(withPrevious(labels(2, {}, true)), logins)).toBeUndefined();
    expect(plan(withPrevious(labels(undefined)), { ...logins, current: accepted })).toBeUndefined();
    expect(plan(withPrevious(labels(undefined)), { ...logins, previous: refused })).toBeUndefined();
  });

  it('takes AWSPENDING off a retired password at once, whatever logs in', () => {
    const retired = labels(1, {}, true);
    const facts = { ...retired, stages: { one: ['AWSCURRENT'], two: ['AWSPENDING', 'AWSPREVIOUS'] } };
    expect(judgeLabels(facts, NOW)).toMatchObject({ state: 'broken', message: expect.stringMatching(/AWSPREVIOUS/) });
    expect(plan(facts)).toBe('take-off-pending');
    expect(plan(facts, { current: accepted, previous: refused })).toBe('take-off-pending');
  });
});

describe('logins', () => {
  const login = (more: object = {}) =>
    parseDatabaseSecret(JSON.stringify({ engine: 'postgres', host: 'db', username: 'u', password: 'p', ...more }));
  const failed = (code: RotationErrorCode) =>
    ({ outcome: 'failed', error: new RotationError(code, 'It failed.', { remedy: 'Mend it.' }) }) as const;
  const accepted = { outcome: 'accepted' } as const;
  const refused = { outcome: 'refused' } as const;
  const facts = (proof: LoginFacts['proof'], label: Label = 'AWSCURRENT'): LoginFacts => ({
    label,
    secret: login(),
    proof,
  });
  const judge = (logins: LoginFacts[], alternating = false) => judgeLogins(logins, { name: 'shop', alternating });

  it.each([
    ['AWSCURRENT', false, 'broken'],
    ['AWSCURRENT', true, 'broken'],
    ['AWSPENDING', false, 'ok'],
    ['AWSPREVIOUS', false, 'ok'],
    ['AWSPREVIOUS', true, 'warning'],
  ] as const)('a refused %s (alternating: %s) is %s', (label, alternating, state) => {
    expect(judge([facts(refused, label)], alternating)[0]?.state).toBe(state);
  });

  it('are judged together: what is to be done follows from which of them is accepted', () => {
    const [alone] = judge([facts(refused), facts(refused, 'AWSPREVIOUS')]);
    expect(alone?.remedy).toMatch(/\\password "u"/);
    for (const label of ['AWSPENDING', 'AWSPREVIOUS'] as const) {
      const [current] = judge([facts(refused), facts(accepted, label)]);
      expect(current).toMatchObject({
        message: expect.stringContaining(label),
        remedy: expect.stringContaining('--fix'),
      });
      expect(current?.remedy).not.toContain('password "');
    }
    const [, previous] = judge([facts(refused), facts(refused, 'AWSPREVIOUS')]);
    expect(previous?.message).not.toContain('as it should');
  });

  it('that work and are refused by a rotation all the same are broken', () => {
    const { error: unfit } = failed('DATABASE_BEHIND_PROXY');
    expect(judge([facts({ ...accepted, unfit })])[0]).toMatchObject({
      state: 'broken',
      message: expect.stringContaining('It failed.'),
      remedy: 'Mend it.',
    });
  });

  it.each<[RotationErrorCode, string]>([
    ['DATABASE_UNREACHABLE', 'unknown'],
    ['DATABASE_TIMEOUT', 'unknown'],
    ['DATABASE_HOST_NOT_FOUND', 'unknown'],
    ['DATABASE_FULL', 'unknown'],
    ['DATABASE_UNAVAILABLE', 'unknown'],
    ['DATABASE_CONNECTION_LOST', 'unknown'],
    ['ROLE_CONNECTION_LIMIT', 'unknown'],
    ['LOGIN_FORBIDDEN', 'broken'],
    ['DATABASE_NOT_FOUND', 'broken'],
    ['AUTHENTICATION_UNSUPPORTED', 'broken'],
    ['DATABASE_BEHIND_PROXY', 'broken'],
  ])('a login that fails with %s is %s', (code, state) => {
    expect(judge([facts(failed(code))])[0]?.state).toBe(state);
  });

  it.each<[RotationErrorCode, string, boolean, string]>([
    ['TLS_UNTRUSTED_CERTIFICATE', 'db.example.com', false, 'broken'],
    ['TLS_UNTRUSTED_CERTIFICATE', 'db.example.com', true, 'unknown'],
    ['TLS_UNTRUSTED_CERTIFICATE', 'x.y.us-east-1.rds.amazonaws.com', false, 'unknown'],
    ['TLS_UNTRUSTED_CERTIFICATE', 'X.y.us-east-1.RDS.amazonaws.com.', false, 'unknown'],
    ['TLS_UNTRUSTED_CERTIFICATE', 'x.y.rds.cn-north-1.amazonaws.com.cn', false, 'unknown'],
    ['TLS_UNTRUSTED_CERTIFICATE', 'x.rds.amazonaws.com.example.com', false, 'broken'],
    ['TLS_WRONG_HOST', 'db.example.com', true, 'broken'],
    ['DATABASE_UNREACHABLE', 'db.example.com', false, 'unknown'],
    ['LOGIN_FORBIDDEN', 'db.example.com', false, 'ok'],
  ])('%s at %s (other certificates: %s): the connection is %s', (code, host, otherFile, state) => {
    const trust = { otherFile, fallenBack: false };
    const [finding] = judgeConnection({ label: 'AWSCURRENT', secret: login({ host }), proof: failed(code) }, trust);
    expect(finding?.state).toBe(state);
  });

  it('without TLS, which TLS_FALLBACK allows, are no proof of a certificate', () => {
    const [finding] = judgeConnection(facts(accepted), { otherFile: false, fallenBack: true });
    expect(finding).toMatchObject({ state: 'warning', message: expect.stringContaining('TLS_FALLBACK') });
  });

  it.each<[string, LoginFacts[], string]>([
    ['works', [facts(accepted)], 'no'],
    ['works, though no rotation would', [facts({ ...accepted, unfit: failed('DATABASE_BEHIND_PROXY').error })], 'no'],
    ['is refused', [facts(refused)], 'yes'],
    ['is refused, and another works', [facts(refused), facts(accepted, 'AWSPREVIOUS')], 'yes'],
    ['may not log in', [facts(failed('LOGIN_FORBIDDEN'))], 'yes'],
    ['is out of reach from here', [facts(failed('DATABASE_UNREACHABLE'))], 'unknown'],
    ['is one that our driver can not make', [facts(failed('AUTHENTICATION_UNSUPPORTED'))], 'unknown'],
    ['was not tried', [], 'unknown'],
  ])('tell whether applications are locked out where AWSCURRENT %s', (_, logins, answer) => {
    expect(judgeLockout(logins, undefined).answer).toBe(answer);
  });
});

describe('the next step', () => {
  const fix: Fix = {
    ...({ name: 'promote-pending', question: 'q?', mends: [], stage: 'AWSCURRENT', from: 'one', to: 'two' } as const),
  };
  const ofLogin = { check: 'login AWSCURRENT', state: 'broken', message: 'm', remedy: 'Set it.' } as const;
  const other = { check: 'function', state: 'broken', message: 'm', remedy: 'Deploy it.' } as const;
  const verdict = { answer: 'no', message: 'm' } as const;
  const prospects = { name: 'shop', broken: [], fix: undefined, fixed: false, waitsUntil: undefined, verdict };

  it.each<[string, Partial<Parameters<typeof nextStep>[0]>, string | undefined]>([
    ['nothing', {}, undefined],
    ['what can be repaired', { fix, broken: [other, ofLogin] }, 'rotation doctor shop --fix'],
    [
      'to wait',
      { waitsUntil: new Date('2026-03-01T12:13:00Z'), broken: [other] },
      'a rotation may be under way until 12:13 UTC; after that: rotation doctor shop --fix',
    ],
    ['the first that is broken', { broken: [other, ofLogin] }, 'Deploy it; then: rotation doctor shop'],
    [
      'the login, where applications are locked out',
      { broken: [other, ofLogin], verdict: { answer: 'yes', message: 'm' } },
      'Set it; then: rotation doctor shop',
    ],
    [
      'no rotation while something is broken',
      { fix, fixed: true, broken: [other] },
      'Deploy it; then: rotation doctor shop',
    ],
    [
      'the command that corrects the secret',
      { broken: [{ ...other, remedy: 'Correct "host" in the secret, or mend DNS.' }] },
      'rotation update shop --host …, or mend DNS; then: rotation doctor shop',
    ],
    [
      'one sentence, though its remedy ends with a statement',
      { broken: [{ ...other, remedy: 'ALTER ROLE "shop" LOGIN;' }] },
      'ALTER ROLE "shop" LOGIN; then: rotation doctor shop',
    ],
    ['a rotation, once all is mended', { fix, fixed: true }, 'rotation now shop'],
  ])('is %s', (_, more, next) => {
    expect(nextStep({ ...prospects, ...more })).toBe(next);
  });
});
