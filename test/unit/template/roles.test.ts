import { describe, expect, it } from 'vitest';
import type { Parameters } from '../../support/cloudformation.ts';
import { type IamRequest, isAllowed, policiesOfRole, policyDocument } from '../../support/iam.ts';
import {
  APP_SECRET,
  EVERY_RDS_SECRET,
  IAM_ADMINISTRATOR,
  KEY,
  OTHER_SECRET,
  ROLE_CHOICES,
  ROLE_RULES,
  type RoleChoices,
  SUPERUSER_SECRET,
} from '../../support/role-calls.ts';
import { samStacks, samTranslatorIsHere } from '../../support/sam.ts';
import { ADMINISTRATORS, ATTACHED, KEYS, SUPERUSERS, VPC } from './stacks.ts';

const named = ({ vpc, keys, superusers }: RoleChoices) => `vpc: ${vpc}, keys: ${keys}, superusers: ${superusers}`;
const SUPERUSER_PARAMETERS = {
  none: {},
  named: { ...SUPERUSERS, ...ADMINISTRATORS },
  managed: { SuperuserSecretArns: EVERY_RDS_SECRET },
};
const parametersFor = ({ vpc, keys, superusers }: RoleChoices): Parameters => ({
  ...(vpc ? VPC : {}),
  ...(keys ? KEYS : {}),
  ...SUPERUSER_PARAMETERS[superusers],
});
const stack = samStacks(Object.fromEntries(ROLE_CHOICES.map((choices) => [named(choices), parametersFor(choices)])));

const functions = [
  { id: 'SingleUser', other: 'AlternatingUsers', strategy: 'single-user' },
  { id: 'AlternatingUsers', other: 'SingleUser', strategy: 'alternating-users' },
] as const;
const cases = ROLE_CHOICES.flatMap((choices) => functions.map((each) => ({ ...each, choices, name: named(choices) })));

describe.skipIf(!samTranslatorIsHere).each(cases)("$id's role, $name", ({ id, other, strategy, choices, name }) => {
  it.each(ROLE_RULES)('$rule', ({ calls }) => {
    const policies = policiesOfRole(stack(name), `${id}Role`);
    const bearer = {
      strategy,
      functionArn: stack(name).arn(`${id}Function`),
      otherFunctionArn: stack(name).arn(`${other}Function`),
      logGroup: stack(name).ref(`${id}LogGroup`),
      otherLogGroup: stack(name).ref(`${other}LogGroup`),
    };
    const misjudged = calls(bearer, choices).filter((call) => isAllowed(policies, call) !== call.allowed);
    expect(misjudged).toEqual([]);
  });

  it('can be assumed by Lambda alone', () => {
    expect(stack(name).resource(`${id}Role`).properties.AssumeRolePolicyDocument).toEqual({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'lambda.amazonaws.com' } }],
    });
  });
});

/** As many as a parameter of that length holds. */
const filled = (arn: string, length: number) =>
  Array.from({ length: Math.floor((length + 1) / (arn.length + 1)) }, () => arn).join(',');
const boundary = 'arn:aws:iam::111122223333:policy/boundary';
const readers = samStacks({
  none: {},
  attached: ATTACHED,
  listed: { ApplicationSecretArns: `${OTHER_SECRET},${SUPERUSER_SECRET}` },
  both: { ...ATTACHED, ...KEYS, ApplicationSecretArns: OTHER_SECRET },
  bounded: { PermissionsBoundaryArn: boundary },
  filled: {
    ...VPC,
    ...ATTACHED,
    KmsKeyArns: filled(KEY, 1024),
    SuperuserSecretArns: filled(SUPERUSER_SECRET, 4096),
    IamAdministratorArns: filled(IAM_ADMINISTRATOR, 1024),
    ApplicationSecretArns: filled(OTHER_SECRET, 1024),
  },
});

describe.skipIf(!samTranslatorIsHere)('the policy for applications', () => {
  const mayRead = (name: 'attached' | 'listed' | 'both', call: IamRequest) =>
    isAllowed([policyDocument(readers(name).resource('ReadSecretsPolicy').properties.PolicyDocument)], call);
  const reading = (resource: string): IamRequest => ({ action: 'secretsmanager:GetSecretValue', resource });
  const decrypting = (secretArn: string): IamRequest => ({
    action: 'kms:Decrypt',
    resource: KEY,
    context: {
      'kms:EncryptionContext:SecretARN': secretArn,
      'kms:ViaService': 'secretsmanager.eu-west-1.amazonaws.com',
    },
  });

  it('is made only where a secret is named', () => {
    expect(readers('none').has('ReadSecretsPolicy')).toBe(false);
    expect(readers('none').outputs()).not.toHaveProperty('ReadSecretsPolicyArn');
    expect(readers('attached').outputs()).toHaveProperty('ReadSecretsPolicyArn');
  });

  it('may read the named secrets and no other', () => {
    expect([APP_SECRET, OTHER_SECRET, SUPERUSER_SECRET].map((arn) => mayRead('attached', reading(arn)))).toEqual([
      true,
      false,
      false,
    ]);
    expect([APP_SECRET, OTHER_SECRET, SUPERUSER_SECRET].map((arn) => mayRead('listed', reading(arn)))).toEqual([
      false,
      true,
      true,
    ]);
  });

  it('may decrypt the named secrets and no other', () => {
    expect(mayRead('attached', decrypting(APP_SECRET))).toBe(false);
    expect(mayRead('both', decrypting(APP_SECRET))).toBe(true);
    expect(mayRead('both', decrypting(OTHER_SECRET))).toBe(true);
    expect(mayRead('both', decrypting(SUPERUSER_SECRET))).toBe(false);
    expect(mayRead('both', { ...decrypting(APP_SECRET), action: 'kms:GenerateDataKey' })).toBe(false);
  });

  it('may write nothing', () => {
    for (const operation of ['PutSecretValue', 'UpdateSecretVersionStage', 'RotateSecret', 'DeleteSecret']) {
      expect(mayRead('both', { action: `secretsmanager:${operation}`, resource: APP_SECRET }), operation).toBe(false);
    }
  });
});

describe.skipIf(!samTranslatorIsHere)('the roles', () => {
  it('have a permissions boundary where one is given', () => {
    for (const role of ['SingleUserRole', 'AlternatingUsersRole']) {
      expect(readers('bounded').resource(role).properties.PermissionsBoundary).toBe(boundary);
      expect(readers('none').resource(role).properties).not.toHaveProperty('PermissionsBoundary');
    }
  });

  it("stay within IAM's quotas with lists as long as the parameters take", () => {
    const stack = readers('filled');
    for (const role of ['SingleUserRole', 'AlternatingUsersRole']) {
      // Inline policies count together, without white space.
      const size = policiesOfRole(stack, role).reduce((sum, policy) => sum + JSON.stringify(policy).length, 0);
      expect(size, role).toBeLessThan(10_240);
    }
    const managed = JSON.stringify(stack.resource('ReadSecretsPolicy').properties.PolicyDocument);
    expect(managed.length).toBeGreaterThan(4_000);
    expect(managed.length).toBeLessThan(6_144);
  });

  it('are one a function, and the only ones', () => {
    const stack = readers('none');
    expect(stack.resources('AWS::IAM::Role')).toEqual(['SingleUserRole', 'AlternatingUsersRole']);
    for (const id of ['SingleUser', 'AlternatingUsers']) {
      expect(stack.resource(`${id}Function`).properties.Role).toBe(stack.arn(`${id}Role`));
    }
  });
});
