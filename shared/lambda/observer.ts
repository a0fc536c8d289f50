import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import type { RotationError } from '../errors.ts';
import type { RotationEvent } from '../rotation/event.ts';
import { countsRotation, type StepReport } from '../rotation/steps.ts';
import type { StrategyName } from '../rotation/strategy.ts';
import type { StepFailed, StepStarted, StepSucceeded } from './step-line.ts';

const SERVICE = 'postgres-secret-rotation';
const NAMESPACE = 'PostgresSecretRotation';

/** What the outside sees of a step: JSON log lines and metrics (EMF). Neither is ever given anything secret. */
export interface StepObserver {
  started(event: RotationEvent): void;
  /** @param duration of the step, in ms. */
  succeeded(event: RotationEvent, report: StepReport, duration: number): void;
  failed(error: RotationError, duration: number): void;
}

/** POWERTOOLS_LOG_LEVEL sets the level of the lines. */
export function stepObserver(strategy: StrategyName): StepObserver {
  const logger = new Logger({ serviceName: SERVICE });
  const metrics = new Metrics({ namespace: NAMESPACE, serviceName: SERVICE });

  const countStep = (step: string, duration: number) => {
    metrics.addDimensions({ strategy, step });
    metrics.addMetric('StepDuration', MetricUnit.Milliseconds, duration);
    metrics.publishStoredMetrics();
  };

  return {
    started({ step, secretArn, versionId }) {
      const line: StepStarted = { strategy, step, secret_arn: secretArn, version_id: versionId };
      logger.info('Rotation step started', { ...line });
    },

    succeeded({ step, secretArn, versionId }, { waited, ...report }, duration) {
      const line: StepSucceeded = {
        strategy,
        step,
        secret_arn: secretArn,
        version_id: versionId,
        duration_ms: Math.round(duration),
        ...report,
        waited_ms: waited?.ms,
        waited_for: waited?.for.join(', '),
      };
      logger.info('Rotation step succeeded', { ...line });
      countStep(step, duration);
      if (!countsRotation(step, report)) return;
      const rotation = metrics.singleMetric();
      rotation.addDimension('strategy', strategy);
      rotation.addMetric('RotationSucceeded', MetricUnit.Count, 1);
    },

    failed(error, duration) {
      const { step = 'none', secretArn, versionId, waitedMs, waitedFor, ...facts } = error.facts;
      const line: Omit<StepFailed, 'step'> = {
        strategy,
        secret_arn: secretArn,
        version_id: versionId,
        duration_ms: Math.round(duration),
        outcome: 'failed',
        error_code: error.code,
        error_message: error.message,
        waited_ms: waitedMs,
        waited_for: waitedFor,
        ...facts,
      };
      logger.error('Rotation step failed', {
        ...line,
        step,
        ...(error.code === 'UNEXPECTED' ? { stack: error.stack } : {}),
      });
      countStep(step, duration);
      const failure = metrics.singleMetric();
      failure.addDimensions({ strategy, step, code: error.code });
      failure.addMetric('StepFailed', MetricUnit.Count, 1);
    },
  };
}
