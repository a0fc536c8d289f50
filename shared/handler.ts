import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import type { Context, Handler } from 'aws-lambda';
import { type Config, readConfig } from './config.ts';
import { roleDatabase } from './database/database.ts';
import { trustStore } from './database/tls.ts';
import { Deadline } from './deadline.ts';
import { asRotationError, type RotationError } from './rotation/errors.ts';
import { parseEvent, type RotationEvent } from './rotation/event.ts';
import { runStep, type StepReport } from './rotation/rotation.ts';
import type { RotationStrategy } from './rotation/strategy.ts';
import { TestedVersions } from './rotation/tested-versions.ts';
import { generatePassword } from './secrets/password-policy.ts';
import { secretStore, secretsManagerClient } from './secrets/secret-store.ts';

const SERVICE = 'postgres-secret-rotation';

/**
 * The Lambda handler of one strategy: the one place that parses the event, runs its step, logs and catches.
 *
 * What Secrets Manager needs to know is only whether the step succeeded: it returns nothing, or throws a RotationError.
 */
export function rotationHandler(strategy: RotationStrategy): Handler<unknown, void> {
  const logger = new Logger({ serviceName: SERVICE });
  const metrics = new Metrics({ namespace: 'PostgresSecretRotation', serviceName: SERVICE });
  const instance = instanceOf(strategy);

  return async (input, context) => {
    const started = performance.now();
    const facts: Record<string, string> = { strategy: strategy.name };
    try {
      const event = parseEvent(input);
      Object.assign(facts, { step: event.step, secret_arn: event.secretId, version_id: event.token });
      logger.info('Rotation step started', facts);
      const report = await instance(event, context);
      const duration = Math.round(performance.now() - started);
      logger.info('Rotation step ended', { ...facts, duration_ms: duration, ...report });
      countSuccess(metrics, strategy, event, report, duration);
    } catch (thrown) {
      const duration = Math.round(performance.now() - started);
      const error = asRotationError(thrown);
      logger.error('Rotation step failed', { ...facts, duration_ms: duration, outcome: 'failed', ...describe(error) });
      countFailure(metrics, strategy, facts.step ?? 'unknown', error, duration);
      throw error.with({ ...(facts.step === undefined ? {} : { step: facts.step }) });
    } finally {
      metrics.publishStoredMetrics();
    }
  };
}

/** What lives as long as the Lambda instance: the client with its connections, the trust store, what it has tested. */
function instanceOf(strategy: RotationStrategy): (event: RotationEvent, context: Context) => Promise<StepReport> {
  const tested = new TestedVersions();
  let shared:
    | { config: Config; client: ReturnType<typeof secretsManagerClient>; trust: ReturnType<typeof trustStore> }
    | undefined;

  return (event, context) => {
    // Read inside the first invocation, so that a wrong variable is logged as what it is and not as a crash at start.
    if (shared === undefined) {
      const config = readConfig();
      shared = { config, client: secretsManagerClient(config), trust: trustStore(config.caFiles) };
    }
    const { config, client, trust } = shared;
    const deadline = Deadline.withinInvocation(context.getRemainingTimeInMillis());
    return runStep({
      event,
      strategy,
      tested,
      store: secretStore(client, event, deadline),
      database: roleDatabase(config, trust, deadline),
      newPassword: () => generatePassword(config.passwordPolicy),
    });
  };
}

/** Everything about an error that may be logged, which is all that a RotationError has. */
function describe(error: RotationError): Record<string, unknown> {
  const { remedy, ...facts } = error.facts;
  return { error_code: error.code, error: error.message, remedy, ...facts };
}

function countSuccess(
  metrics: Metrics,
  strategy: RotationStrategy,
  event: RotationEvent,
  report: StepReport,
  duration: number,
) {
  metrics.addDimensions({ strategy: strategy.name, step: event.step });
  metrics.addMetric('StepDuration', MetricUnit.Milliseconds, duration);
  if (event.step === 'finishSecret' && report.outcome === 'done') {
    const rotation = metrics.singleMetric();
    rotation.addDimension('strategy', strategy.name);
    rotation.addMetric('RotationSucceeded', MetricUnit.Count, 1);
  }
}

function countFailure(
  metrics: Metrics,
  strategy: RotationStrategy,
  step: string,
  error: RotationError,
  duration: number,
) {
  metrics.addDimensions({ strategy: strategy.name, step });
  metrics.addMetric('StepDuration', MetricUnit.Milliseconds, duration);
  const failure = metrics.singleMetric();
  failure.addDimensions({ strategy: strategy.name, step, code: error.code });
  failure.addMetric('StepFailed', MetricUnit.Count, 1);
}
