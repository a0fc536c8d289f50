import { describe, expect, it } from 'vitest';
import { changesOf, chooseRules, chooseStrategy, refuseOtherStrategy } from '../../../cli/attach-plan.ts';
import { bar } from '../../../cli/commands/now-many.ts';
import { awsError } from '../../../cli/failures.ts';
import { strategyOf } from '../../../cli/functions.ts';
import { mapLimited } from '../../../cli/map-limited.ts';
import { type DescribedSecret, parseFilter, passes } from '../../../cli/secrets.ts';
import { exitCodeOf } from '../../../cli/watch/outcome.ts';
import { parseDatabaseSecret } from '../../../shared/secret/database-secret.ts';

const login = (more: object = {}) =>
  parseDatabaseSecret(JSON.stringify({ engine: 'postgres', host: 'h', username: 'u', password: 'p', ...more }));

describe('the strategy', () => {
  it("is read from this project's and AWS's names of functions", () => {
    const arn = (name: string) => `arn:aws:lambda:us-east-1:123456789012:function:${name}`;
    expect(strategyOf(arn('rot-SingleUserFunction-1X'))).toBe('single-user');
    expect(strategyOf(arn('rot-AlternatingUsersFunction-1X'))).toBe('alternating-users');
    expect(strategyOf(arn('SecretsManagerRDSPostgreSQLRotationMultiUser'))).toBe('alternating-users');
    expect(strategyOf(arn('multiuser-shop-SingleUserFunction-AbC'))).toBe('single-user');
    expect(strategyOf(arn('single-user-AlternatingUsersFunction-AbC'))).toBe('alternating-users');
    expect(strategyOf(arn('my-rotation'))).toBeUndefined();
    expect(strategyOf(undefined)).toBeUndefined();
  });

  it('follows from what the secret holds, unless told', () => {
    expect(chooseStrategy(login(), undefined)).toBe('single-user');
    expect(chooseStrategy(login({ masterarn: 'arn:x' }), undefined)).toBe('alternating-users');
    expect(chooseStrategy(login({ masterarn: 'arn:x' }), 'single-user')).toBe('single-user');
    expect(() => chooseStrategy(login(), 'alternating-users')).toThrow('has no "masterarn"');
  });

  it('must be that of the function, where its name tells', () => {
    expect(() => refuseOtherStrategy('arn:a:l:r:1:function:x-SingleUser', 'alternating-users')).toThrow(
      'is for single-user',
    );
    expect(() => refuseOtherStrategy('arn:a:l:r:1:function:x', 'alternating-users')).not.toThrow();
  });
});

describe('the schedule', () => {
  it('is what is wished, over what there is, over 30 days', () => {
    expect(chooseRules(undefined, {})).toEqual({ ScheduleExpression: 'rate(30 days)' });
    expect(chooseRules({ AutomaticallyAfterDays: 7 }, { window: '3h' })).toEqual({
      AutomaticallyAfterDays: 7,
      Duration: '3h',
    });
    expect(chooseRules({ AutomaticallyAfterDays: 7, Duration: '3h' }, { schedule: 'rate(5 days)' })).toEqual({
      ScheduleExpression: 'rate(5 days)',
      Duration: '3h',
    });
  });

  it.each([
    ['rate(1 hour)'],
    ['every day'],
    ['cron(5 4 * * ? *)'],
  ])('is refused as the service would: %s', (schedule) => {
    expect(() => chooseRules(undefined, { schedule })).toThrow();
  });

  it('is compared with what there is', () => {
    const secret: DescribedSecret = {
      ARN: 'a',
      Name: 'shop',
      stages: {},
      $metadata: {},
      RotationLambdaARN: 'f',
      RotationEnabled: false,
      RotationRules: { AutomaticallyAfterDays: 7 },
    };
    expect(changesOf(secret, 'f', { AutomaticallyAfterDays: 7, Duration: '2h' })).toEqual([
      { what: 'rotation', before: 'off', after: 'on' },
      { what: 'window', before: "the service's", after: '2h' },
    ]);
  });
});

describe('filters', () => {
  const secret = { Name: 'prod/shop', Tags: [{ Key: 'team', Value: 'payments' }] };

  it.each([
    ['tag:team=payments', true],
    ['tag:team=pay', false],
    ['tag:Team=payments', false],
    ['tag:team', true],
    ['tag:stage', false],
    ['tag:team=', false],
    ['name:prod/', true],
    ['name:shop', false],
  ])('%s: %s', (text, passing) => {
    expect(passes(secret, [parseFilter(text)])).toBe(passing);
  });

  it('must all hold', () => {
    expect(passes(secret, ['name:prod/', 'tag:stage'].map(parseFilter))).toBe(false);
    expect(passes(secret, [])).toBe(true);
  });

  it.each([['team=payments'], ['tag:'], ['name:'], ['']])('of another form are refused: "%s"', (text) => {
    expect(() => parseFilter(text)).toThrow('A filter is');
  });
});

describe('exit codes of a rotation', () => {
  const failure = { step: 'setSecret', code: 'X', message: 'm', remedy: undefined } as const;
  const proof = (outcome: 'accepted' | 'refused' | 'not-tried' | 'not-possible-from-here') => ({
    labels: {},
    login: outcome,
    message: '',
  });
  it.each([
    [{ outcome: 'succeeded' } as const, proof('accepted'), 0],
    [{ outcome: 'succeeded' } as const, proof('not-tried'), 0],
    [{ outcome: 'succeeded' } as const, proof('refused'), 3],
    [{ outcome: 'succeeded' } as const, proof('not-possible-from-here'), 5],
    [{ outcome: 'failed', failure } as const, undefined, 3],
    [{ outcome: 'abandoned' } as const, undefined, 3],
    [{ outcome: 'unknown' } as const, undefined, 5],
  ])('%j', (ending, shown, code) => {
    expect(exitCodeOf({ ending, proof: shown })).toBe(code);
  });
});

describe('an error of AWS', () => {
  const named = (name: string, message: string, more: object = {}) =>
    Object.assign(new Error(message), { name, ...more });

  it.each([
    [named('Error', 'Region is missing'), /no region is set/, /--region/],
    [
      named('Error', 'unable to verify the first certificate', { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' }),
      /certificate of AWS is not trusted/,
      /AWS_CA_BUNDLE/,
    ],
    [named('ExpiredTokenException', 'The token expired'), /The token expired\./, /sso login/],
    [named('AccessDeniedException', 'User: x is not authorized.'), /not authorized\.$/, /^Allow secretsmanager:X/],
    [
      named('AccessDeniedException', 'Secrets Manager cannot invoke the specified Lambda function.'),
      /cannot invoke/,
      /add-permission/,
    ],
    [named('Error', 'connect', { code: 'ECONNREFUSED' }), /could not be reached \(ECONNREFUSED\)/, /--endpoint-url/],
    [named('ResourceNotFoundException', "can't find"), /can't find\./, /list-secrets/],
  ])('is told in a sentence, with what to do: %s', (error, message, remedy) => {
    const told = awsError('secretsmanager:X', error);
    expect(told.message).toMatch(message);
    expect(told.remedy).toMatch(remedy);
    expect(told.exitCode).toBe(1);
  });
});

describe('working through a list', () => {
  it('keeps the order and the limit', async () => {
    let running = 0;
    let most = 0;
    const results = await mapLimited([5, 1, 4, 2, 3], 2, async (number) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, number));
      running--;
      return number * 10;
    });
    expect(results).toEqual([50, 10, 40, 20, 30]);
    expect(most).toBe(2);
    expect(await mapLimited([], 3, async () => 1)).toEqual([]);
  });

  it('shows how far it is', () => {
    expect([bar(0, 4), bar(2, 4), bar(4, 4)].map((text) => text.match(/█/g)?.length ?? 0)).toEqual([0, 12, 24]);
    expect(new Set([bar(0, 4), bar(1, 3), bar(0, 0)].map((text) => text.length))).toEqual(new Set([24]));
  });
});
