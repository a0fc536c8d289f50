import type { Credential, RoleDatabase, SecretStore, SuperuserSecrets } from '../../../shared/rotation/ports.ts';
import { isAnyPending } from '../../../shared/rotation/version-stage.ts';
import { parseDatabaseSecret } from '../../../shared/secret/database-secret.ts';
import { ADMIN_ARN, secretText } from '../fake-rotation.ts';
import { FakeSecrets } from '../fake-secrets.ts';
import { FakeServer } from '../fake-server.ts';
import type { Deed, Scenario, SecretName } from './scenario.ts';
import { time, type Waits } from './time.ts';

/** Ids of versions, each as long as the service's. */
export const idOf = (name: string) => name.padEnd(36, '-');
export const nameOf = (id: string) => id.replace(/-+$/, '');

/** The password that a person sets in the database. */
const BY_HAND = 'by hand';

/** Whatever a schedule plays on: secrets, and the server that their logins are for. */
export interface Stage {
  /** What a version, by its id, or a role is called in a schedule. */
  names(idOrRole: string): string;
  tokenOf(name: string): string;
  /** A new password, by what schedules call it. */
  password(name: string): string;
  /** Runs the work of an actor; of one in memory, in simulated time. */
  as(waits: Waits, work: () => Promise<void>): Promise<void>;
  store(secret: SecretName, token: string): SecretStore;
  /** What reads that lag answer; undefined where none do. */
  former(secret: SecretName, token: string): Pick<SecretStore, 'describe' | 'read'> | undefined;
  superusers(): SuperuserSecrets;
  database(who: string): RoleDatabase;
  perform(deed: Deed): Promise<void>;
  /** Registers a version as RotateSecret does. */
  begin(secret: SecretName, name: string): Promise<void>;
}

/** What a schedule has led to. */
export interface EndOfStage {
  readonly rotationEnabled: boolean;
  /** The version that has a label, by its name. */
  readonly labels: Readonly<Record<string, string>>;
  /** By role: the password that the server accepts, by what schedules call it. */
  readonly accepts: Readonly<Record<string, string>>;
}

/** In memory. */
export class MemoryStage implements Stage {
  readonly secrets: Readonly<Record<SecretName, FakeSecrets>>;
  readonly server = new FakeServer().role('app', 'app V1').role('shop', 'shop V1').role('admin', 'admin V1');
  readonly strategy: Scenario['strategy'];
  /** What persons have set in the database. */
  readonly byHand: string[] = [];
  readonly #lags: boolean;
  /** Each as it was before its last change. */
  readonly #former: Record<SecretName, FakeSecrets>;

  constructor({ strategy, lags = false }: Scenario) {
    this.strategy = strategy;
    this.#lags = lags;
    const masterarn = strategy === 'alternating-users' ? { masterarn: ADMIN_ARN } : {};
    const secret = (username: SecretName, members = {}) =>
      new FakeSecrets().put(idOf('V1'), secretText({ username, password: `${username} V1`, ...members }), 'AWSCURRENT');
    this.secrets = { app: secret('app', masterarn), shop: secret('shop', masterarn), admin: secret('admin') };
    this.#former = { ...this.secrets };
  }

  names = nameOf;
  tokenOf = idOf;
  password = (name: string) => name;
  as = (waits: Waits, work: () => Promise<void>) => time.as(waits, work);

  store(secret: SecretName, token: string): SecretStore {
    const store = this.secrets[secret].store(token);
    return {
      ...store,
      putPending: (text) => this.#changing(secret, () => store.putPending(text)),
      promotePending: (from) => this.#changing(secret, () => store.promotePending(from)),
    };
  }

  former(secret: SecretName, token: string): Pick<SecretStore, 'describe' | 'read'> {
    return {
      describe: () => this.#former[secret].store(token).describe(),
      read: (which) => this.#former[secret].store(token).read(which),
    };
  }

  superusers(): SuperuserSecrets {
    return {
      read: async () => {
        const version = await this.secrets.admin.store('').read({ stage: 'AWSCURRENT' });
        return { source: 'superuser', versionId: version?.versionId ?? '', secret: parseDatabaseSecret(version?.text) };
      },
      isRotating: async () => {
        const { stages } = await this.secrets.admin.store('').describe();
        return isAnyPending(stages);
      },
    };
  }

  database(who: string): RoleDatabase {
    const tryPassword: RoleDatabase['tryPassword'] = (credential, work) => this.server.login(credential, work, who);
    return {
      tryPassword,
      async withLogin(credential, work) {
        const outcome = await tryPassword(credential, work);
        if (outcome.accepted === 'without-session') throw outcome.error;
        return outcome;
      },
    };
  }

  async begin(secret: SecretName, name: string): Promise<void> {
    const secrets = this.secrets[secret];
    await this.#changing(secret, async () => {
      secrets.rotationEnabled = true;
      secrets.put(idOf(name), undefined, 'AWSPENDING');
    });
  }

  async perform(deed: Deed): Promise<void> {
    await this.#changing('app', () => this.#perform(deed));
  }

  async #perform(deed: Deed): Promise<void> {
    const { app } = this.secrets;
    switch (deed) {
      case 'begins T2':
        return await this.begin('app', 'T2');
      case 'takes AWSPENDING off':
        return app.label('AWSPENDING');
      case 'takes AWSPENDING off T1':
        if (app.with('AWSPENDING') === idOf('T1')) app.label('AWSPENDING');
        return;
      case 'cancels the rotation':
        return app.disable();
      case 'moves AWSPENDING to T1':
        return app.label('AWSPENDING', idOf('T1'));
      case 'moves AWSPENDING to the version that is AWSPREVIOUS':
        return app.label('AWSPENDING', app.with('AWSPREVIOUS'));
      case 'rolls AWSCURRENT back': {
        const previous = app.with('AWSPREVIOUS');
        return previous === undefined ? undefined : app.label('AWSCURRENT', previous);
      }
      case 'edits a member of AWSCURRENT':
        return this.#edit('E1', { note: 'edited' });
      case 'stores AWSCURRENT once more':
        return this.#edit('E2', {});
      case 'sets a password by hand':
        this.byHand.push(BY_HAND);
        return await this.server.setByHand(this.loginOf('app')?.username ?? '', BY_HAND);
      case 'stores the password set by hand':
        return this.#edit('E3', { password: BY_HAND });
      default: {
        const never: never = deed;
        return never;
      }
    }
  }

  /** Equal for states from which the same can come. */
  fingerprint(): string {
    const { app, shop, admin } = this.secrets;
    const former = this.#lags ? Object.values(this.#former) : [];
    return [app, shop, admin, this.server, ...former].map((each) => each.fingerprint()).join('\n');
  }

  end(): EndOfStage {
    const { app } = this.secrets;
    const labels = ['AWSCURRENT', 'AWSPENDING', 'AWSPREVIOUS'].map((label) => [
      label,
      nameOf(app.with(label) ?? 'none'),
    ]);
    const accepts = [...this.server.roles]
      .filter(([name]) => name.startsWith('app'))
      .map(([name, { password }]) => [name, password]);
    return {
      rotationEnabled: app.rotationEnabled,
      labels: Object.fromEntries(labels),
      accepts: Object.fromEntries(accepts),
    };
  }

  /** The login that a version with this label holds. */
  loginOf(secret: SecretName, label = 'AWSCURRENT'): Credential['secret'] | undefined {
    const text = this.secrets[secret].textOf(this.secrets[secret].with(label) ?? '');
    return text === undefined ? undefined : parseDatabaseSecret(text);
  }

  /** Whether the server accepts what a version with this label holds. */
  isAccepted(secret: SecretName, label = 'AWSCURRENT'): boolean {
    const login = this.loginOf(secret, label);
    return login !== undefined && this.server.passwordOf(login.username) === login.password.reveal();
  }

  /** What leaves all as it was is no last change. */
  async #changing<T>(secret: SecretName, work: () => Promise<T>): Promise<T> {
    if (!this.#lags) return await work();
    const former = this.secrets[secret].copy();
    const answer = await work();
    if (former.fingerprint() !== this.secrets[secret].fingerprint()) this.#former[secret] = former;
    return answer;
  }

  /** A person's PutSecretValue: a new current version. */
  #edit(name: string, members: Readonly<Record<string, unknown>>): void {
    const { app } = this.secrets;
    const text = app.textOf(app.with('AWSCURRENT') ?? '') ?? '{}';
    // As the service does where both labels are on one version.
    if (app.with('AWSPENDING') === app.with('AWSCURRENT')) app.label('AWSPENDING');
    app.put(idOf(name), JSON.stringify({ ...JSON.parse(text), ...members }), 'AWSCURRENT');
  }
}
