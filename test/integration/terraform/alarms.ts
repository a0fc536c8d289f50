/** What counts of an alarm, from the module's words and from the template's. */
import { asList, asObject, asText, type Json, type JsonObject } from '../../support/cloudformation.ts';

const objects = (list: Json | undefined): JsonObject[] => asList(list ?? []).map(asObject);

/** Of an aws_cloudwatch_metric_alarm. */
export function alarmOfModule(alarm: JsonObject): JsonObject {
  const queries = objects(alarm.metric_query);
  const [metric = alarm] = queries.flatMap((query) => objects(query.metric));
  return {
    name: alarm.alarm_name ?? null,
    description: alarm.alarm_description ?? null,
    tells: alarm.alarm_actions ?? [],
    comparison: alarm.comparison_operator ?? null,
    threshold: alarm.threshold ?? null,
    periods: alarm.evaluation_periods ?? null,
    missing: alarm.treat_missing_data ?? null,
    expression: queries.find(({ return_data }) => return_data)?.expression ?? null,
    metric: `${metric.namespace} ${metric.metric_name}`,
    statistic: metric.stat ?? metric.statistic ?? null,
    seconds: metric.period ?? null,
    dimensions: metric.dimensions ?? null,
  };
}

/** Of an AWS::CloudWatch::Alarm. */
export function alarmOfTemplate(alarm: JsonObject): JsonObject {
  const queries = objects(alarm.Metrics);
  const [stat] = queries.flatMap(({ MetricStat }) => (MetricStat === undefined ? [] : [asObject(MetricStat)]));
  const metric = stat === undefined ? alarm : asObject(stat.Metric);
  return {
    name: alarm.AlarmName ?? null,
    description: alarm.AlarmDescription ?? null,
    tells: alarm.AlarmActions ?? [],
    comparison: alarm.ComparisonOperator ?? null,
    threshold: alarm.Threshold ?? null,
    periods: alarm.EvaluationPeriods ?? null,
    missing: alarm.TreatMissingData ?? null,
    expression: queries.find(({ ReturnData }) => ReturnData !== false)?.Expression ?? null,
    metric: `${metric.Namespace} ${metric.MetricName}`,
    statistic: stat?.Stat ?? alarm.Statistic ?? null,
    seconds: stat?.Period ?? alarm.Period ?? null,
    dimensions: Object.fromEntries(objects(metric.Dimensions).map(({ Name, Value }) => [asText(Name), Value ?? null])),
  };
}
