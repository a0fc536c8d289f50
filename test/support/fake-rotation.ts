import { Deadline } from '../../shared/deadline.ts';
import { RotationError } from '../../shared/errors.ts';
import { alternatingUsers } from '../../shared/rotation/alternating-users.ts';
import { STEPS, type Step } from '../../shared/rotation/event.ts';
import type { Credential, RoleDatabase } from '../../shared/rotation/ports.ts';
import { RecentLogins } from '../../shared/rotation/recent-logins.ts';
import { singleUser } from '../../shared/rotation/single-user.ts';
import { runStep, type StepInput, type StepReport } from '../../shared/rotation/steps.ts';
import { parseDatabaseSecret } from '../../shared/secret/database-secret.ts';
import { Password } from '../../shared/secret/password.ts';
import { FakeSecrets } from './fake-secrets.ts';
import { databaseOf, FakeServer } from './fake-server.ts';

export const ARN = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:app-AbCdEf';
export const ADMIN_ARN = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:admin-AbCdEf';
/** The id of AWSCURRENT's version, to begin with. */
export const V1 = 'v1'.padEnd(36, '-');
/** The rotation's own version. */
export const TOKEN = 'token'.padEnd(36, '-');

/** A secret's value; members that are undefined are left out. */
export function secretText(members: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({ engine: 'postgres', host: 'db', username: 'app', password: 'old', ...members });
}

export function credentialOf(source: Credential['source'], versionId: string, members = {}): Credential {
  return { source, versionId, secret: parseDatabaseSecret(secretText(members)) };
}

/** A deadline whose time is what a test says. */
export class ManualDeadline extends Deadline {
  left: number;

  constructor(left = 30_000) {
    super(left);
    this.left = left;
  }

  override remaining(): number {
    return Math.max(1, this.left);
  }

  override get passed(): boolean {
    return this.left <= 0;
  }
}

/** One secret, its servers, and function instances that rotate it. */
export class FakeRotation {
  readonly secrets = new FakeSecrets();
  readonly server: FakeServer;
  readonly servers: FakeServer[];
  readonly strategy: StepInput['strategy'];
  deadline = new ManualDeadline();
  /** Whether setSecret moves AWSCURRENT itself. */
  promoteEarly = false;
  /** What the current instance remembers. */
  logins = new RecentLogins();
  /** The secret that "masterarn" names. */
  superuser = secretText({ username: 'admin', password: 'admin' });
  superuserVersion = 1;
  superuserIsRotating = false;
  /** What the next reads of it fail by. */
  readonly superuserFailures: RotationError[] = [];
  /** Superuser secrets that were read before it was certain that they are wanted. */
  readonly readAhead: string[] = [];
  /** How its new passwords begin: no two instances make the same. */
  makes = 'new';
  #made = 0;

  constructor(strategy: StepInput['strategy'] = singleUser, members: Readonly<Record<string, unknown>> = {}) {
    this.strategy = strategy;
    const masterarn = strategy === alternatingUsers ? { masterarn: ADMIN_ARN } : {};
    this.secrets.put(V1, secretText({ ...masterarn, ...members }), 'AWSCURRENT').put(TOKEN, undefined, 'AWSPENDING');
    this.server = new FakeServer().role('app', 'old').role('admin', 'admin');
    this.servers = [this.server];
  }

  /** Happens while a step pauses. */
  meanwhile: () => Promise<void> | void = () => {};

  /** Another instance of the function, which remembers nothing. */
  anew(): this {
    this.logins = new RecentLogins();
    return this;
  }

  /** What is between this instance and the servers. */
  between: (database: RoleDatabase) => RoleDatabase = (database) => database;

  get database(): RoleDatabase {
    return this.between(databaseOf(...this.servers));
  }

  /** Another instance of the function in the same world. */
  beside(): FakeRotation {
    const other = new FakeRotation(this.strategy);
    const { secrets, server, servers, promoteEarly } = this;
    Object.assign(other, { secrets, server, servers, promoteEarly, makes: `${this.makes}-beside` });
    return other;
  }

  async step(step: Step, token = TOKEN): Promise<StepReport> {
    return await runStep({
      event: { step, secretArn: ARN, versionId: token },
      strategy: this.strategy,
      store: this.secrets.store(token),
      superusers: {
        ahead: async (secretArn) => void this.readAhead.push(secretArn),
        read: async () => {
          const failure = this.superuserFailures.shift();
          if (failure !== undefined) throw failure;
          const versionId = `admin-${this.superuserVersion}`;
          return { source: 'superuser', versionId, secret: parseDatabaseSecret(this.superuser) };
        },
        isRotating: async () => this.superuserIsRotating,
      },
      database: this.database,
      recentLogins: this.logins,
      deadline: this.deadline,
      newPassword: () => new Password(`${this.makes}-${++this.#made}`),
      promoteEarly: this.promoteEarly,
      // Time passes at once.
      sleep: async (ms) => {
        this.deadline.left -= ms;
        await this.meanwhile();
      },
    });
  }

  /** Steps in the service's order, up to and with `last`. */
  async run(last: Step = 'finishSecret', token = TOKEN): Promise<void> {
    for (const step of STEPS.slice(0, STEPS.indexOf(last) + 1)) await this.step(step, token);
  }

  /** Begins another rotation. */
  begin(token: string): void {
    this.secrets.put(token, undefined, 'AWSPENDING');
  }

  /** A person's PutSecretValue: a new current version. */
  edit(versionId: string, members: Readonly<Record<string, unknown>>): void {
    const text = this.secrets.textOf(this.secrets.with('AWSCURRENT') ?? '') ?? '{}';
    this.secrets.put(versionId, JSON.stringify({ ...JSON.parse(text), ...members }), 'AWSCURRENT');
  }

  /** What AWSCURRENT, or another version, says. */
  passwordIn(label: string): string | undefined {
    const text = this.secrets.textOf(this.secrets.with(label) ?? '');
    return text === undefined ? undefined : parseDatabaseSecret(text).password.reveal();
  }

  /** What a version holds now. */
  credential(label: 'AWSCURRENT' | 'AWSPENDING' | 'AWSPREVIOUS'): Credential {
    const versionId = this.secrets.with(label) ?? '';
    const name = { AWSCURRENT: 'current', AWSPENDING: 'pending', AWSPREVIOUS: 'previous' } as const;
    return { source: name[label], versionId, secret: parseDatabaseSecret(this.secrets.textOf(versionId)) };
  }

  /** Whether an application that reads AWSCURRENT would be let in. */
  get currentIsAccepted(): boolean {
    const text = this.secrets.textOf(this.secrets.with('AWSCURRENT') ?? '');
    if (text === undefined) return false;
    const { host, username, password } = parseDatabaseSecret(text);
    return this.servers.find((server) => server.host === host)?.passwordOf(username) === password.reveal();
  }
}

/** What a promise is rejected with; one that resolves, a fault of ours, or an error that tells nothing fails the test. */
export async function refusal(work: Promise<unknown>): Promise<RotationError> {
  const error = await work.then(
    () => {
      throw new Error('A refusal was expected.');
    },
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof RotationError)) throw error;
  needWords(error);
  return error;
}

/** Whatever is refused, an operator reads a sentence about what was found, and what to do. */
export function needWords({ code, message, remedy }: RotationError): void {
  if (!/^\S.{12,}\.$/s.test(message)) throw new Error(`${code} must say what was found, and it says "${message}".`);
  if (!/^\S.{7,}\S$/s.test(remedy)) throw new Error(`${code} must say what to do, and it says "${remedy}".`);
}

/** Events of one kind, such as the logins. */
export function only(events: readonly string[], prefix: string): string[] {
  return events.filter((event) => event.startsWith(prefix));
}
