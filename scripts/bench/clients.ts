/** What applications see of a rotation whose steps are seconds apart: how many logins are refused, and what it costs. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isRefusedPassword } from '../../client/index.ts';
import type { Step } from '../../shared/rotation/event.ts';
import { ApiRelay } from '../relays/api-relay.ts';
import { ApiCounter } from './api-counter.ts';
import type { Arena } from './arena.ts';
import { APPLICATIONS, type Application, type ApplicationKind } from './client-applications.ts';
import { Contender, ours } from './contender.ts';
import { median, percentile, sum } from './statistics.ts';

export interface ClientsPlan {
  readonly bundles: string;
  /** The folder whose node_modules the other libraries are in. */
  readonly packages: string;
  readonly loginsPerSecond: number;
  /** Seconds between setSecret and finishSecret. */
  readonly window: number;
  readonly progress?: (done: number, all: number) => void;
}

export interface ClientResult {
  readonly application: string;
  /** False where its library is not in `packages`. */
  readonly installed: boolean;
  readonly logins: number;
  /** Logins that the application saw refused. */
  readonly refused: number;
  /** Logins that failed for another reason. */
  readonly failed: number;
  /** Of logins that succeeded, in ms. */
  readonly medianMs: number;
  readonly slowestMs: number;
  /** Calls to Secrets Manager from the first setSecret on. */
  readonly apiCalls: number;
}

/** Seconds of logins before the rotation and after it. */
const MARGIN = 0.75;

/** Each application in turn, with a secret of its own. */
export async function benchClients(arena: Arena, plan: ClientsPlan): Promise<readonly ClientResult[]> {
  const results: ClientResult[] = [];
  for (const kind of APPLICATIONS) {
    results.push(await benchClient(arena, kind, plan));
    plan.progress?.(results.length, APPLICATIONS.length);
  }
  return results;
}

async function benchClient(arena: Arena, kind: ApplicationKind, plan: ClientsPlan): Promise<ClientResult> {
  const { bundles, packages, loginsPerSecond, window } = plan;
  const calls = new ApiCounter();
  await using relay = await ApiRelay.start(arena.endpoint, calls);
  using _ = inEnvironment(arena.environment(relay.endpoint));
  const secret = await arena.newSecret({ strategy: 'single-user', tls: false });
  const application = await kind.start(secret.arn, packages);
  if (application === undefined) return missing(kind);
  await using rotation = new Contender(ours(bundles), 'single-user', arena.environment());
  const version = await secret.begin();
  const step = (Step: Step) => rotation.run({ ...version, Step });
  await step('createSecret');
  await application.logIn(); // reads the secret, opens what it keeps open
  calls.take();

  const load = new Load(application, loginsPerSecond);
  await sleep(MARGIN * 1_000);
  await step('setSecret');
  await sleep(window * 1_000);
  await step('testSecret');
  await step('finishSecret');
  await sleep(MARGIN * 1_000);
  const counts = await load.end();
  const apiCalls = sum(Object.values(calls.take().calls));
  await secret.end(version.ClientRequestToken);
  await application.close();
  return { application: kind.name, installed: true, ...counts, apiCalls };
}

/** What an application of this process finds in its environment for as long as the result is in scope. */
function inEnvironment(all: Readonly<Record<string, string>>): Disposable {
  const wanted = Object.entries(all).filter(([name]) => /^AWS_(?!LAMBDA_)/.test(name));
  const before = wanted.map(([name]) => [name, process.env[name]] as const);
  Object.assign(process.env, Object.fromEntries(wanted));
  return {
    [Symbol.dispose]() {
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    },
  };
}

function missing({ name }: ApplicationKind): ClientResult {
  const nothing = { logins: 0, refused: 0, failed: 0, medianMs: Number.NaN, slowestMs: Number.NaN, apiCalls: 0 };
  return { application: name, installed: false, ...nothing };
}

/** Begins logins at a steady rate, whatever becomes of those before. */
class Load {
  readonly #application: Application;
  readonly #timer: NodeJS.Timeout;
  readonly #logins: Promise<void>[] = [];
  #refused = 0;
  #failed = 0;
  readonly #ms: number[] = [];

  constructor(application: Application, perSecond: number) {
    this.#application = application;
    this.#timer = setInterval(() => this.#logins.push(this.#logIn()), 1_000 / perSecond);
  }

  async end() {
    clearInterval(this.#timer);
    await Promise.all(this.#logins);
    const times = { medianMs: median(this.#ms), slowestMs: percentile(this.#ms, 100) };
    return { logins: this.#logins.length, refused: this.#refused, failed: this.#failed, ...times };
  }

  async #logIn(): Promise<void> {
    const from = performance.now();
    try {
      await this.#application.logIn();
      this.#ms.push(performance.now() - from);
    } catch (error) {
      if (isRefusal(error)) this.#refused += 1;
      else this.#failed += 1;
    }
  }
}

/** Wrappers have errors of their own. */
function isRefusal(error: unknown): boolean {
  return isRefusedPassword(error) || /password authentication failed/.test(String(error));
}
