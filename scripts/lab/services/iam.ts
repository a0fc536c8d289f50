/** IAM, as far as SimulatePrincipalPolicy. */
import { evaluate } from '../../../shared/iam/policy-evaluation.ts';
import { ServiceError } from '../http/service.ts';
import { type QueryParameters, queryService } from './query-service.ts';
import { members } from './xml.ts';

const shape = { prefix: 'iam', version: '2010-05-08', namespace: 'https://iam.amazonaws.com/doc/2010-05-08/' };

export const iam = queryService(shape, {
  SimulatePrincipalPolicy: (parameters, { resources, functions }) => {
    const arn = parameters.required('PolicySourceArn');
    const role = resources.roles.get(arn) ?? functions.defaultRole(arn);
    if (role === undefined) throw new ServiceError('NoSuchEntity', `The role with ARN ${arn} cannot be found.`, 404);
    const actions = parameters.list('ActionNames');
    if (actions.length === 0) throw new ServiceError('InvalidInput', 'ActionNames must not be empty.');
    const given = parameters.list('ResourceArns');
    const context = contextOf(parameters);
    const results = actions.flatMap((action) =>
      (given.length === 0 ? ['*'] : given).map((resource) => ({
        EvalActionName: action,
        EvalResourceName: resource,
        EvalDecision: evaluate(role.policies, { action, resource, context }),
      })),
    );
    return { EvaluationResults: members(results), IsTruncated: false };
  },
});

function contextOf(parameters: QueryParameters): Record<string, string[]> {
  const context: Record<string, string[]> = {};
  for (let index = 1; ; index++) {
    const entry = `ContextEntries.member.${index}`;
    const key = parameters.text(`${entry}.ContextKeyName`);
    if (key === undefined) return context;
    parameters.text(`${entry}.ContextKeyType`);
    context[key] = parameters.list(`${entry}.ContextKeyValues`);
  }
}
