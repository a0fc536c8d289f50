import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isRefusedPassword } from '../../../client/index.ts';
import { SecretLogin } from '../../../client/secret-login.ts';
import { secretVersions } from '../../../client/secret-versions.ts';
import type { PostgresServer } from '../../../scripts/lab/database/server.ts';
import type { StrategyName } from '../../../shared/rotation/strategy.ts';
import { type Command, histories, inWords } from '../../support/model/commands.ts';
import { History } from '../../support/model/history.ts';
import { World } from '../../support/model/world.ts';
import { canLogin, startTestServer } from '../../support/postgres.ts';

/** Minutes that the soak run has; a quarter of them for each strategy. */
const SOAK_MINUTES = process.env.SOAK_MINUTES === undefined ? undefined : Number(process.env.SOAK_MINUTES);
const BUDGET_MS = SOAK_MINUTES === undefined ? 8_000 : (SOAK_MINUTES * 60_000) / 4;
/** The longest pause between two looks at Secrets Manager, and a bit. */
const LONGEST_PAUSE_MS = 31_000;
/** FC_SEED and FC_PATH replay a failure: both are in its message. */
const seed = process.env.FC_SEED === undefined ? Date.now() % 2 ** 31 : Number(process.env.FC_SEED);
const path = process.env.FC_PATH;

let server: PostgresServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server?.close());

/** An application that lives through the whole history, at the history's time of day. */
class Application {
  readonly #login: SecretLogin;
  readonly #world: World;
  readonly #arn: string;
  /** Logins that were refused although the secret had a right one, and were tried again after a pause. */
  afterPause = 0;

  constructor(world: World, arn: string) {
    this.#world = world;
    this.#arn = arn;
    this.#login = new SecretLogin({
      versions: secretVersions(world.client, arn),
      trust: () => Promise.reject(new Error('no TLS is wanted here')),
      timeoutMillis: 10_000,
      pause: async (milliseconds) => world.clock.jump(milliseconds),
      now: () => world.clock.now().getTime(),
    });
  }

  /** @returns undefined, or what is wrong: some version with a label would be let in, and the application is not. */
  async problem(): Promise<string | undefined> {
    for (let pauses = 0; pauses <= 2; pauses++) {
      if (await this.#logsIn()) return undefined;
      const right = await this.#rightLabel();
      if (right === undefined) return undefined;
      this.afterPause += 1;
      this.#world.clock.jump(LONGEST_PAUSE_MS);
      if (pauses === 2) return `${right} logs in, and the application does not`;
    }
    return undefined;
  }

  async #logsIn(): Promise<boolean> {
    for (;;) {
      const { username: user, password, host, port, dbname: database, ssl, versionId } = await this.#login.current();
      const session = new pg.Client({ user, password, host, port, database, ssl });
      session.on('error', () => {});
      try {
        await session.connect();
        this.#login.accepted(versionId);
        return true;
      } catch (error) {
        if (!isRefusedPassword(error)) throw error;
        if (!(await this.#login.refused(versionId))) return false;
      } finally {
        await session.end();
      }
    }
  }

  async #rightLabel(): Promise<string | undefined> {
    for (const VersionStage of ['AWSCURRENT', 'AWSPENDING', 'AWSPREVIOUS']) {
      const answer = await this.#world.client
        .send(new GetSecretValueCommand({ SecretId: this.#arn, VersionStage }))
        .catch(() => undefined);
      if (answer?.SecretString === undefined) continue;
      const { username: user, password } = JSON.parse(answer.SecretString);
      if ((await canLogin(server, { user, password })) === 'accepted') return VersionStage;
    }
    return undefined;
  }
}

interface Tally {
  histories: number;
  logins: number;
  afterPause: number;
}

async function play(world: World, commands: readonly Command[], tally: Tally): Promise<void> {
  const subject = await world.newSubject();
  const history = new History(world, subject);
  const application = new Application(world, subject.arn);
  for (const [index, command] of commands.entries()) {
    const problem = (await history.run(command)).join('; ') || (await application.problem());
    if (problem !== undefined) throw new Error(`after command ${index + 1} (${inWords(command)}): ${problem}`);
    tally.logins += 1;
  }
  tally.histories += 1;
  tally.afterPause += application.afterPause;
}

describe.each(['single-user', 'alternating-users'] as const)('%s', (strategy: StrategyName) => {
  test(
    'no history of a secret keeps an application out while a version with a label is let in',
    async () => {
      await using world = await World.open(strategy, server);
      const tally: Tally = { histories: 0, logins: 0, afterPause: 0 };
      const property = fc.asyncProperty(histories, (commands) => play(world, commands, tally));
      const result = await fc.check(property, {
        seed,
        ...(path === undefined ? { interruptAfterTimeLimit: BUDGET_MS } : { path }),
        numRuns: 1_000_000,
        markInterruptAsFailure: false,
      });
      const { histories: played, logins, afterPause } = tally;
      const words = `${played} histories, ${logins} logins, ${afterPause} of them after a pause, FC_SEED=${seed}`;
      process.stdout.write(`Applications and ${strategy}: ${words}\n`);
      const replay = `FC_SEED=${seed} FC_PATH=${result.counterexamplePath}`;
      const found = result.failed ? `${result.errorInstance} (${replay})` : undefined;
      expect(found).toBeUndefined();
      expect(played).toBeGreaterThan(0);
    },
    // The server's log is searched at the end, and is long.
    4 * BUDGET_MS + 120_000,
  );
});
