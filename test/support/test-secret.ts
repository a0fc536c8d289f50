import { randomUUID } from 'node:crypto';
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { beginRotation } from '../../scripts/lab/beginning.ts';
import type { LabEvent } from '../../scripts/lab/events.ts';
import type { RequestRecord } from '../../scripts/lab/requests.ts';
import type { SecretsLab } from '../../scripts/lab/secrets-lab.ts';
import { STEPS, type Step } from '../../shared/rotation/event.ts';
import type { StrategyName } from '../../shared/rotation/strategy.ts';
import type { FunctionOutput, LoggedStep } from './function-output.ts';
import type { LeakWatch } from './leaks.ts';

/** A rotation function as a test wants it. Those that want the same share its warm instances. */
export interface FunctionChoice {
  readonly strategy: StrategyName;
  /** Of the function, besides what the lab sets. A variable of its own gives a test an instance of its own. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Default 30,000. */
  readonly timeoutMs?: number | undefined;
  /** Absolute path of the function's module. Default: the one that was built of this source. */
  readonly bundle?: string;
}

/** The members of a secret's JSON; undefined leaves one out. */
export type SecretMembers = Readonly<Record<string, unknown>>;

/** What came of one step: the line with which the function's log ends it, or how the function's process ended. */
export type StepResult = LoggedStep;

/** What came of one RotateSecret. */
export interface RotationResult {
  readonly outcome: 'succeeded' | 'failed' | 'abandoned';
  readonly token: string;
  /** All steps that were called, retries included. */
  readonly steps: readonly StepResult[];
  readonly attempts: number;
}

/** Which version: by label, or by id. */
export type Which = { readonly label: string } | { readonly versionId: string };

export const CURRENT: Which = { label: 'AWSCURRENT' };

/** What a secret needs of the account that it is in. */
export interface AccountOfSecret {
  readonly lab: SecretsLab;
  readonly client: SecretsManagerClient;
  readonly output: FunctionOutput;
  readonly leaks: LeakWatch;
  function(choice: FunctionChoice): string;
  registersOnly(): string;
}

/** A secret in the lab, and the function that rotates it. */
export class TestSecret {
  readonly arn: string;
  readonly #account: AccountOfSecret;
  readonly #choice: FunctionChoice;

  constructor(account: AccountOfSecret, arn: string, choice: FunctionChoice) {
    this.#account = account;
    this.arn = arn;
    this.#choice = choice;
  }

  /**
   * Rotates as an operator does, and waits for the end.
   *
   * @param options `immediately: false` is a test of the configuration only; `by` chooses another function or instance.
   */
  async rotate({
    immediately = true,
    token = randomUUID() as string,
    by = {} as Partial<FunctionChoice>,
  } = {}): Promise<RotationResult> {
    const { lab, client } = this.#account;
    const events: LabEvent[] = [];
    const stop = lab.on((event) => {
      if (event.type !== 'log-line' && event.versionId === token) events.push(event);
    });
    try {
      await client.send(
        new RotateSecretCommand({
          SecretId: this.arn,
          ClientRequestToken: token,
          RotationLambdaARN: this.#account.function({ ...this.#choice, ...by }),
          RotationRules: { AutomaticallyAfterDays: 30 },
          RotateImmediately: immediately,
        }),
      );
      await lab.settled(this.arn);
    } finally {
      stop();
    }
    const steps = events.filter((event) => event.type === 'step-ended').map((event) => this.#endOf(event, token));
    return { outcome: outcomeOf(events), token, steps, attempts: Math.max(...events.map(attemptOf)) };
  }

  /** Registers a new version as the service does before the first step. @returns its id, the ClientRequestToken. */
  async begin(token: string = randomUUID()): Promise<string> {
    const { lab, client } = this.#account;
    const beginning = { secretId: this.arn, functionArn: this.#account.registersOnly(), token };
    return await beginRotation(client, beginning, (secretId) => lab.settled(secretId));
  }

  /**
   * Calls the function for one step, whatever the service would do.
   *
   * @param by chooses another function or instance.
   * @param rotationToken null: none, as from services that do not send it.
   */
  async step(
    step: Step,
    token: string,
    by: Partial<FunctionChoice> = {},
    rotationToken: string | null = `rotation-token-${randomUUID()}`,
  ): Promise<StepResult> {
    const { lab, leaks, output } = this.#account;
    if (rotationToken !== null) leaks.keepSecret(rotationToken);
    const result = await lab.functions.invoke(this.#account.function({ ...this.#choice, ...by }), {
      Step: step,
      SecretId: this.arn,
      ClientRequestToken: token,
      ...(rotationToken === null ? {} : { RotationToken: rotationToken }),
    });
    const line = output.takeEnd(step, token);
    if (!result.ok)
      return line ?? { step, outcome: 'crashed', error_message: result.errorMessage, reason: result.errorType };
    if (line === undefined || line.outcome === 'failed')
      throw new Error(`A step that succeeds should end with a line in the log that says so, and ${step} did not.`);
    return line;
  }

  /** Calls the steps in turn, up to and including `last`, as long as they succeed. */
  async stepsUntil(last: Step, token: string): Promise<StepResult[]> {
    const results: StepResult[] = [];
    for (const step of STEPS.slice(0, STEPS.indexOf(last) + 1)) {
      const result = await this.step(step, token);
      results.push(result);
      if (result.outcome === 'failed' || result.outcome === 'crashed') break;
    }
    return results;
  }

  /** A version's SecretString. */
  async text(which: Which = CURRENT): Promise<string> {
    const selector = 'label' in which ? { VersionStage: which.label } : { VersionId: which.versionId };
    const answer = await this.#account.client.send(new GetSecretValueCommand({ SecretId: this.arn, ...selector }));
    if (answer.SecretString === undefined) throw new Error('The version should have a SecretString, and has none.');
    return answer.SecretString;
  }

  async password(which: Which = CURRENT): Promise<string> {
    return JSON.parse(await this.text(which)).password;
  }

  /** Stores the current value with other members as a new version. @returns the version's id. */
  async put(changes: SecretMembers, stages?: readonly string[], token: string = randomUUID()): Promise<string> {
    const value = { ...JSON.parse(await this.text()), ...changes };
    return await this.putText(JSON.stringify(value), stages, token);
  }

  async putText(SecretString: string, stages?: readonly string[], token: string = randomUUID()): Promise<string> {
    await this.#account.client.send(
      new PutSecretValueCommand({
        SecretId: this.arn,
        SecretString,
        ClientRequestToken: token,
        VersionStages: stages && [...stages],
      }),
    );
    return token;
  }

  /** Takes a label off, as an operator does who gives a rotation up. */
  async unlabel(label: string, from: string): Promise<void> {
    await this.#account.client.send(
      new UpdateSecretVersionStageCommand({ SecretId: this.arn, VersionStage: label, RemoveFromVersionId: from }),
    );
  }

  async moveLabel(label: string, from: string | undefined, to: string): Promise<void> {
    const move = { VersionStage: label, RemoveFromVersionId: from, MoveToVersionId: to };
    await this.#account.client.send(new UpdateSecretVersionStageCommand({ SecretId: this.arn, ...move }));
  }

  /** Ids of versions by staging label. */
  async labels(): Promise<Readonly<Record<string, string>>> {
    const { VersionIdsToStages = {} } = await this.#account.client.send(
      new DescribeSecretCommand({ SecretId: this.arn }),
    );
    return Object.fromEntries(
      Object.entries(VersionIdsToStages).flatMap(([id, stages]) => stages.map((stage) => [stage, id])),
    );
  }

  /** What was asked of Secrets Manager for this secret by functions: our own client is no Lambda function. */
  get calls(): readonly RequestRecord[] {
    return this.#account.lab.requests
      .all()
      .filter((request) => request.secretId === this.arn && request.userAgent?.includes('exec-env/AWS_Lambda'));
  }

  #endOf(event: LabEvent & { type: 'step-ended' }, token: string): StepResult {
    const line = this.#account.output.takeEnd(event.step, token);
    if (line !== undefined) return line;
    return { step: event.step, outcome: 'crashed', error_message: event.error?.errorMessage ?? '' };
  }
}

function outcomeOf(events: readonly LabEvent[]): RotationResult['outcome'] {
  const types = events.map((event) => event.type);
  if (types.includes('rotation-succeeded')) return 'succeeded';
  return types.includes('rotation-abandoned') ? 'abandoned' : 'failed';
}

function attemptOf(event: LabEvent): number {
  return 'attempt' in event ? event.attempt : 0;
}
