import { evaluate, type IamRequest } from '../../shared/iam/policy-evaluation.ts';
import { asList, asObject, type Json, type Stack } from './cloudformation.ts';

export type { IamRequest } from '../../shared/iam/policy-evaluation.ts';

export interface PolicyDocument {
  readonly Version: string;
  readonly Statement: Json;
}

/** Whether a role with these policies (and no boundary or resource policy that says otherwise) may make the call. */
export function isAllowed(documents: readonly PolicyDocument[], call: IamRequest): boolean {
  return evaluate(documents, call) === 'allowed';
}

/** The policies of a role of a stack: those written into it and those attached to it. */
export function policiesOfRole(stack: Stack, roleId: string): PolicyDocument[] {
  const { properties } = stack.resource(roleId);
  if (properties.ManagedPolicyArns !== undefined) throw new Error(`${roleId} has managed policies, unknown here.`);
  const inline = asList(properties.Policies).map((policy) => asObject(policy).PolicyDocument);
  const attached = stack
    .resources('AWS::IAM::Policy')
    .map((id) => stack.resource(id).properties)
    .filter((policy) => asList(policy.Roles).includes(stack.ref(roleId)))
    .map((policy) => policy.PolicyDocument);
  return [...inline, ...attached].map(policyDocument);
}

export function policyDocument(document: Json | undefined): PolicyDocument {
  const { Version, Statement, ...others } = asObject(document);
  if (Version !== '2012-10-17' || Statement === undefined || Object.keys(others).length > 0) {
    throw new Error('A policy document was expected to have the version 2012-10-17, statements and nothing else.');
  }
  return { Version, Statement };
}
