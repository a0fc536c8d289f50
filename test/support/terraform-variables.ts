/** template.yaml's parameters in the words of the Terraform module. */
import type { Json, Parameters } from './cloudformation.ts';
import type { ModuleInput } from './terraform-module.ts';

/** The parameters that make one secret of the variable `secrets`, as its attributes. */
const OF_A_SECRET: Readonly<Record<string, string>> = {
  SecretArn: 'arn',
  Strategy: 'strategy',
  ScheduleExpression: 'schedule_expression',
  Duration: 'duration',
  RotateImmediately: 'rotate_immediately',
};

/** The variable that a parameter is called in the module. */
export function variableOf(parameter: string): string {
  if (OF_A_SECRET[parameter] !== undefined) return 'secrets';
  // A list, because Terraform has to know how many there are before it knows the ARN of a topic that is yet to be made.
  if (parameter === 'AlarmTopicArn') return 'alarm_topic_arns';
  if (parameter === 'SuccessTopicArn') return 'success_topic_arns';
  return parameter.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase();
}

export function variablesFor(parameters: Parameters): ModuleInput {
  const entries = Object.entries(parameters);
  const own = entries.filter(([name]) => variableOf(name) !== 'secrets');
  const secret = entries.flatMap(([name, value]) => {
    const attribute = OF_A_SECRET[name];
    return attribute === undefined ? [] : [[attribute, read(attribute, value)] as const];
  });
  return {
    ...Object.fromEntries(own.map(([name, value]) => [variableOf(name), read(variableOf(name), value)])),
    ...(secret.length > 0 ? { secrets: { attached: Object.fromEntries(secret) } } : {}),
  };
}

function read(variable: string, value: string): Json {
  if (/_(ids|arns|keys)$/.test(variable)) return value.split(',');
  if (value === 'true' || value === 'false') return value === 'true';
  return /^\d+$/.test(value) ? Number(value) : value;
}
