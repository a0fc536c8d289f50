/** CloudFormation, as far as DescribeStacks. */
import { ACCOUNT_ID } from '../account.ts';
import { ServiceError } from '../http/service.ts';
import type { Stack } from '../resources.ts';
import { queryService } from './query-service.ts';
import { members, type XmlElements } from './xml.ts';

const shape = {
  prefix: 'cloudformation',
  version: '2010-05-15',
  namespace: 'http://cloudformation.amazonaws.com/doc/2010-05-15/',
};

export const cloudformation = queryService(shape, {
  DescribeStacks: (parameters, { resources }, region) => {
    const name = parameters.text('StackName');
    const found = [...resources.stacks.values()].filter((stack) => name === undefined || stack.name === name);
    if (name !== undefined && found.length === 0) {
      throw new ServiceError('ValidationError', `Stack with id ${name} does not exist`);
    }
    return { Stacks: members(found.map((stack) => show(stack, region))) };
  },
});

function show({ name, outputs, status = 'CREATE_COMPLETE' }: Stack, region: string): XmlElements {
  const pairs = Object.entries(outputs).map(([OutputKey, OutputValue]) => ({ OutputKey, OutputValue }));
  return {
    StackName: name,
    StackId: `arn:aws:cloudformation:${region}:${ACCOUNT_ID}:stack/${name}/6a0b4a3c-8d7c-4b3f-9a57-5d1c2a1a0f11`,
    CreationTime: '2026-01-01T00:00:00.000Z',
    StackStatus: status,
    Outputs: members(pairs),
  };
}
