/** The lab's Secrets Manager and its Lambda functions, composed: the one entry for tests, the demo and the command. */
import { DEFAULT_REGION } from './account.ts';
import { type Clock, startClock } from './clock.ts';
import { type LabEventListener, LabEvents } from './events.ts';
import { Faults } from './faults.ts';
import { type FunctionDefinition, FunctionRegistry } from './functions/function-registry.ts';
import { startFront } from './http/front.ts';
import { RequestLog } from './requests.ts';
import { AccountResources } from './resources.ts';
import { Rotations } from './secrets-manager/rotation.ts';
import { RotationScheduler } from './secrets-manager/rotation-scheduler.ts';
import { secretsManager, unsigned } from './secrets-manager/service.ts';
import { SecretsState } from './secrets-manager/state.ts';
import { LogStore } from './services/log-store.ts';
import { accountServices } from './services/table.ts';

export interface SecretsLabOptions {
  /** Default: any free port. */
  port?: number;
  /** Default: the real time. See startClock for a faster one. */
  clock?: Clock;
  functions?: readonly FunctionDefinition[];
  /** How often a failed rotation is tried again. Default 2. */
  retries?: number;
  /** Real milliseconds before such a retry. Default 500. */
  retryDelayMs?: number;
}

export interface SecretsLab extends AsyncDisposable {
  readonly endpoint: string;
  readonly requests: RequestLog;
  readonly faults: Faults;
  readonly functions: FunctionRegistry;
  /** What the account's other services know: roles, keys, stacks, the network, databases. */
  readonly resources: AccountResources;
  readonly clock: Clock;
  /** @returns a function that ends the subscription. */
  on(listener: LabEventListener): () => void;
  /** Resolves once no rotation of the secret runs, retries included. `secretId`: name or ARN. */
  settled(secretId: string, region?: string): Promise<void>;
  /** The SecretStrings of all versions: what no output may show. For tests that search for them. */
  storedValues(): string[];
  /** What only an AWS service can do to a secret: own it, and give it tags that begin with `aws:`. */
  actAsService(secretId: string, what: ServiceMarks, region?: string): void;
  /** Stops rotations, kills the functions' processes and closes the port. */
  close(): Promise<void>;
}

export interface ServiceMarks {
  owningService?: string;
  tags?: Readonly<Record<string, string>>;
}

export async function startSecretsManager(options: SecretsLabOptions = {}): Promise<SecretsLab> {
  const { port = 0, clock = startClock(), retries = 2, retryDelayMs = 500 } = options;
  const { now } = clock;
  const events = new LabEvents(now);
  const requests = new RequestLog();
  const faults = new Faults();
  const state = new SecretsState(now);
  const functions = new FunctionRegistry(events, () => ({ SECRETS_MANAGER_ENDPOINT: front.endpoint }));
  const resources = new AccountResources();
  const logs = new LogStore();
  events.on(logs.listener((name) => functions.logGroupOf(name)));
  const scheduler = new RotationScheduler(clock);
  const rotations = new Rotations({ now, functions, events, scheduler, settings: { retries, retryDelayMs } });
  const known = {
    ...accountServices({ resources, functions, logs }),
    secretsmanager: secretsManager({ now, state, rotations, faults, requests, resources, functions }),
  };
  const front = await startFront({ known, unsigned }, port);
  for (const definition of options.functions ?? []) functions.register(definition);

  async function stop(): Promise<void> {
    rotations.abortAll();
    await functions.close();
    await rotations.allEnded();
    await front.close();
  }

  let stopped: Promise<void> | undefined;
  const close = () => {
    stopped ??= stop();
    return stopped;
  };

  return {
    endpoint: front.endpoint,
    requests,
    faults,
    functions,
    resources,
    clock,
    on: (listener) => events.on(listener),
    settled: (secretId, region = DEFAULT_REGION) => rotations.settled(state.get(region, secretId)),
    storedValues: () =>
      state.allVersions().flatMap(({ value }) => (value && 'SecretString' in value ? value.SecretString : [])),
    actAsService: (secretId, { owningService, tags }, region = DEFAULT_REGION) => {
      const { content } = state.get(region, secretId);
      if (owningService !== undefined) content.owningService = owningService;
      if (tags) content.tags = new Map([...(content.tags ?? []), ...Object.entries(tags)]);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
