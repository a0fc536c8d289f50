import { describe, expect, it } from 'vitest';
import { evaluate, type IamRequest } from '../../../shared/iam/policy-evaluation.ts';

const read: IamRequest = {
  action: 'secretsmanager:GetSecretValue',
  resource: 'arn:aws:secretsmanager:eu-west-1:1:secret:a',
};

function allowed(statements: unknown, call: IamRequest): boolean {
  return evaluate([{ Statement: statements }], call) === 'allowed';
}

describe("the lab's IAM", () => {
  it('denies what no statement allows', () => {
    expect(evaluate([], read)).toBe('implicitDeny');
    expect(allowed([{ Effect: 'Allow', Action: 's3:*', Resource: '*' }], read)).toBe(false);
    expect(allowed([{ Effect: 'Allow', Action: 'secretsmanager:Get*', Resource: '*:secret:b' }], read)).toBe(false);
  });

  it('reads * and ? in actions and resources, and ignores the case of actions only', () => {
    const like = (Action: string, Resource: string) => allowed({ Effect: 'Allow', Action, Resource }, read);
    expect(like('SECRETSMANAGER:getSecret*', '*:secret:?')).toBe(true);
    expect(like('secretsmanager:GetSecretValue', '*:SECRET:a')).toBe(false);
    expect(like('secretsmanager:GetSecretValu', '*')).toBe(false);
    expect(like('secretsmanager.GetSecretValue', '*')).toBe(false);
  });

  it('lets an explicit Deny win, in whichever document it stands', () => {
    const allow = { Statement: { Effect: 'Allow', Action: '*', Resource: '*' } };
    const deny = { Statement: [{ Effect: 'Deny', Action: 'secretsmanager:*', Resource: '*' }] };
    expect(evaluate([allow], read)).toBe('allowed');
    expect(evaluate([allow, deny], read)).toBe('explicitDeny');
    expect(evaluate([deny, allow], read)).toBe('explicitDeny');
  });

  it('needs every condition, and a key that the request lacks does not hold', () => {
    const statement = {
      Effect: 'Allow',
      Action: '*',
      Resource: '*',
      Condition: { StringEquals: { one: ['a', 'b'] }, StringLike: { two: 'x*' } },
    };
    expect(allowed(statement, { ...read, context: { ONE: 'b', two: 'xy' } })).toBe(true);
    expect(allowed(statement, { ...read, context: { one: 'c', two: 'xy' } })).toBe(false);
    expect(allowed(statement, { ...read, context: { one: 'a' } })).toBe(false);
    expect(allowed(statement, read)).toBe(false);
  });

  it('compares ARNs part by part', () => {
    const statement = {
      Effect: 'Allow',
      Action: '*',
      Resource: '*',
      Condition: { ArnLike: { 'aws:SourceArn': 'arn:aws:sns:*:1:t' } },
    };
    const from = (arn: string) => allowed(statement, { ...read, context: { 'aws:SourceArn': arn } });
    expect(from('arn:aws:sns:eu-west-1:1:t')).toBe(true);
    expect(from('arn:aws:sns:eu-west-1:2:1:t')).toBe(false);
    expect(from('t')).toBe(false);
  });

  it('asks for one match of several values only with ForAnyValue', () => {
    const statement = (operator: string) => ({
      Effect: 'Allow',
      Action: '*',
      Resource: '*',
      Condition: { [operator]: { keys: 'a' } },
    });
    const call = { ...read, context: { keys: ['b', 'a'] } };
    expect(allowed(statement('ForAnyValue:StringEquals'), call)).toBe(true);
    expect(() => allowed(statement('StringEquals'), call)).toThrow('keys has several values');
  });

  it('refuses to judge a policy with parts that it does not know', () => {
    const known = { Effect: 'Allow', Action: '*', Resource: '*' };
    expect(() => allowed({ ...known, NotAction: 'iam:*' }, read)).toThrow('NotAction');
    expect(() =>
      allowed({ ...known, Condition: { Bool: { a: 'true' } } }, { ...read, context: { a: 'true' } }),
    ).toThrow('Bool');
    expect(() => allowed({ ...known, Resource: [''] }, read)).toThrow('A plain text was expected');
    expect(() => allowed({ ...known, Resource: [] }, read)).toThrow('A list in a policy');
    expect(() => allowed({ ...known, Resource: `arn:\${aws:username}` }, read)).toThrow('A plain text was expected');
  });
});
