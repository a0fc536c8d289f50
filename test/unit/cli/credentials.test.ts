import { describe, expect, it } from 'vitest';
import { credentialsError } from '../../../cli/credentials.ts';
import { CommandError, usage } from '../../../cli/failures.ts';

const named = (name: string, message: string) => Object.assign(new Error(message), { name });

describe('why there are no credentials', () => {
  it.each<[Error, string | undefined, RegExp, RegExp]>([
    [named('CredentialsProviderError', 'Could not load'), undefined, /none were found/, /aws sso login\), .*--profile/],
    [
      named('CredentialsProviderError', 'Could not resolve credentials using profile: [x]'),
      'x',
      /there is no profile x/,
      /list-profiles/,
    ],
    [named('CredentialsProviderError', 'The SSO session has expired'), 'x', /nobody is logged in/, /login --profile x/],
    [named('AccessDenied', 'User: me is not authorized'), 'x', /sts:AssumeRole\): User: me .*\.$/, /trust policy/],
    [named('AccessDenied', 'MultiFactorAuthentication failed'), 'x', /MultiFactorAuthentication failed\./, /next code/],
  ])('is told in a sentence: %s', (error, profile, message, remedy) => {
    const told = credentialsError(error, profile);
    expect(told).toMatchObject({ message: expect.stringMatching(message), remedy: expect.stringMatching(remedy) });
    expect(told).toBeInstanceOf(CommandError);
  });

  it.each([
    usage('x'),
    named('ExitPromptError', 'x'),
    named('AbortPromptError', 'x'),
  ])('stays what it is: %s', (error) => {
    expect(credentialsError(error, undefined)).toBe(error);
  });
});
