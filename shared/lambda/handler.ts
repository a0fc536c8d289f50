import type { SecureContext } from 'node:tls';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { Context, Handler } from 'aws-lambda';
import { secretStore, secretsManagerClient } from '../aws/secret-store.ts';
import { roleDatabase } from '../database/database.ts';
import type { Dialect } from '../database/dialect.ts';
import { trustStore } from '../database/tls.ts';
import { noTwins, type TwinSql } from '../database/twin-sql.ts';
import { Deadline } from '../deadline.ts';
import { asRotationError } from '../errors.ts';
import { parseEvent, type RotationEvent } from '../rotation/event.ts';
import type { SuperuserSecrets } from '../rotation/ports.ts';
import { RecentLogins } from '../rotation/recent-logins.ts';
import { runStep, type StepInput } from '../rotation/steps.ts';
import type { RotationStrategy } from '../rotation/strategy.ts';
import { generatePassword, policyFor } from '../secret/password-policy.ts';
import { type Config, readConfig } from './config.ts';
import { stepObserver } from './observer.ts';

/**
 * The Lambda handler of one strategy: the one place that parses the event, runs its step, logs and catches.
 *
 * What Secrets Manager needs to know is only whether the step succeeded: it returns nothing, or throws a RotationError.
 *
 * @param parts what the strategy needs besides, if it needs any.
 */
export function rotationHandler(
  strategy: RotationStrategy,
  { superusers = noSuperusers, twins = noTwins, redshift }: StrategyParts = {},
): Handler<unknown, void> {
  const observer = stepObserver(strategy.name);
  const prepare = instanceOf(strategy, { superusers, twins, redshift });

  return async (input, context) => {
    const started = performance.now();
    let event: RotationEvent | undefined;
    try {
      event = parseEvent(input);
      observer.started(event);
      const report = await runStep(prepare(event, context));
      observer.succeeded(event, report, performance.now() - started);
    } catch (thrown) {
      const error = asRotationError(thrown).with(
        event === undefined ? {} : { step: event.step, secretArn: event.secretArn, versionId: event.versionId },
      );
      observer.failed(error, performance.now() - started);
      throw error;
    }
  };
}

/** What only some strategies need, and so only their functions hold. */
export interface StrategyParts {
  /** Where superuser secrets are found. */
  readonly superusers?: SuperuserSecretsOf;
  /** SQL of twin logins. */
  readonly twins?: TwinSql;
  /** How to deal with Redshift. */
  readonly redshift?: Dialect | undefined;
}

/** Makes the port to superuser secrets for one step. */
type SuperuserSecretsOf = (client: SecretsManagerClient, deadline: Deadline) => SuperuserSecrets;

const noSuperusers: SuperuserSecretsOf = () => {
  const none = () => Promise.reject(new TypeError('this strategy was wired without superuser secrets'));
  return { read: none, isRotating: none };
};

/** What is made once and lives as long as the Lambda instance. */
interface Instance {
  readonly config: Config;
  /** Keeps its connections alive between steps. */
  readonly client: SecretsManagerClient;
  readonly trust: () => Promise<SecureContext>;
  readonly recentLogins: RecentLogins;
}

/** Wires the parts of one step to those that live as long as the instance. */
function instanceOf(
  strategy: RotationStrategy,
  { superusers, twins, redshift }: Required<Omit<StrategyParts, 'redshift'>> & Pick<StrategyParts, 'redshift'>,
): (event: RotationEvent, context: Context) => StepInput {
  let instance: Instance | undefined;
  return (event, context) => {
    // Made in the first invocation, so that a wrong variable is logged as what it is and not as a crash at start.
    instance ??= newInstance(strategy);
    const { config, client, trust, recentLogins } = instance;
    const deadline = Deadline.withinInvocation(remainingTime(context));
    return {
      event,
      strategy,
      recentLogins,
      deadline,
      store: secretStore(client, event, deadline),
      superusers: superusers(client, deadline),
      database: roleDatabase({ settings: config, trust, deadline, twins, redshift }),
      newPassword: (engine) => generatePassword(policyFor(engine, config.passwordPolicy)),
      connectionStringKeys: config.connectionStringKeys,
      promoteEarly: config.promoteEarly,
    };
  };
}

/** Milliseconds; 30 s, Lambda's usual time-out for rotations, for callers that are not Lambda. */
function remainingTime(context: Partial<Context> | undefined): number {
  return context?.getRemainingTimeInMillis?.() ?? 30_000;
}

function newInstance({ name }: RotationStrategy): Instance {
  const config = readConfig(undefined, name);
  return {
    config,
    client: secretsManagerClient(config),
    trust: trustStore(config.caFiles),
    recentLogins: new RecentLogins(),
  };
}
