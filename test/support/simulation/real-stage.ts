import { randomBytes } from 'node:crypto';
import {
  CancelRotateSecretCommand,
  DescribeSecretCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { type Client, DatabaseError, escapeIdentifier, escapeLiteral } from 'pg';
import type { PostgresServer } from '../../../scripts/lab/database/server.ts';
import { secretStore } from '../../../shared/aws/secret-store.ts';
import { roleDatabase } from '../../../shared/database/database.ts';
import { trustStore } from '../../../shared/database/tls.ts';
import { postgresTwins } from '../../../shared/database/twins.ts';
import { Deadline } from '../../../shared/deadline.ts';
import type {
  RoleDatabase,
  RoleLock,
  RoleSession,
  SecretStore,
  SuperuserSecrets,
} from '../../../shared/rotation/ports.ts';
import { opensNow } from '../crash/invariants.ts';
import { USUAL_SETTINGS } from '../opened-role.ts';
import type { RoleScope } from '../role-scope.ts';
import { superusers } from '../superusers.ts';
import type { TestAccount } from '../test-account.ts';
import type { TestSecret } from '../test-secret.ts';
import { twins } from '../twins.ts';
import type { EndOfStage, Stage } from './memory-stage.ts';
import type { Deed, Scenario, SecretName } from './scenario.ts';
import type { Waits } from './time.ts';

/** In ms. */
const STEP_TIME = 60_000;

export interface RealSurroundings {
  readonly account: TestAccount;
  readonly server: PostgresServer;
  readonly scope: RoleScope;
  readonly admin: Client;
}

/** The lab's Secrets Manager and a real PostgreSQL, with the real adapters between. */
export class RealStage implements Stage {
  readonly #around: RealSurroundings;
  readonly #secret: TestSecret;
  readonly #role: string;
  readonly #names = new Map<string, string>();
  readonly #ids = new Map<string, string>();
  readonly #passwords = new Map<string, string>();
  readonly #fresh: (who: string) => boolean | undefined;

  /** @param fresh whether, in the model, the login behind an actor's next lock is a fresh one. */
  static async open(
    around: RealSurroundings,
    { strategy }: Scenario,
    fresh: (who: string) => boolean | undefined,
  ): Promise<RealStage> {
    const { account, scope, server } = around;
    const name = scope.name(`app${randomBytes(4).toString('hex')}`);
    if (strategy === 'alternating-users') {
      const { secret, base, admin } = await twins(account, scope, {
        name,
        adminName: `admin${randomBytes(4).toString('hex')}`,
      });
      return await new RealStage(around, secret, name, fresh).#begun(base.password, admin.name);
    }
    const role = await scope.createAppRole({ name });
    const secret = await account.secretFor(server, role, { strategy });
    return await new RealStage(around, secret, name, fresh).#begun(role.password);
  }

  private constructor(
    around: RealSurroundings,
    secret: TestSecret,
    role: string,
    fresh: (who: string) => boolean | undefined,
  ) {
    this.#around = around;
    this.#secret = secret;
    this.#role = role;
    this.#fresh = fresh;
  }

  async #begun(password: string, admin?: string): Promise<this> {
    this.#names.set(this.#role, 'app').set(`${this.#role}_clone`, 'app_clone');
    if (admin !== undefined) this.#names.set(admin, 'admin');
    this.#passwords.set('app V1', password);
    this.#name('V1', (await this.#secret.labels()).AWSCURRENT ?? '');
    return this;
  }

  names(idOrRole: string): string {
    return this.#names.get(idOrRole) ?? idOrRole;
  }

  tokenOf(name: string): string {
    return this.#ids.get(name) ?? '';
  }

  password(name: string): string {
    const password = this.#passwords.get(name) ?? randomBytes(18).toString('base64url');
    this.#passwords.set(name, password);
    return password;
  }

  as = (_: Waits, work: () => Promise<void>) => work();

  store(_: SecretName, token: string): SecretStore {
    const event = { secretArn: this.#secret.arn, versionId: token };
    return secretStore(this.#around.account.client, event, new Deadline(STEP_TIME));
  }

  former(): undefined {
    return undefined;
  }

  superusers(): SuperuserSecrets {
    return superusers(this.#around.account.client, new Deadline(STEP_TIME));
  }

  /** A login is a fresh one for 150 ms: of such times a schedule knows nothing, and says itself whether it is one. */
  database(who: string): RoleDatabase {
    const inner = roleDatabase({
      settings: USUAL_SETTINGS,
      trust: trustStore([]),
      deadline: new Deadline(STEP_TIME),
      twins: postgresTwins,
    });
    const judged = <Lock extends RoleLock>(lock: Lock): Lock => {
      const fresh = this.#fresh(who);
      if (fresh === undefined) return lock;
      if (lock.fresh && !fresh) throw new Error(`${who}'s login counts as fresh, and in the model it does not.`);
      return { ...lock, fresh };
    };
    const sessions = (roles: RoleSession): RoleSession => ({
      ...roles,
      lockOwn: async () => judged(await roles.lockOwn()),
      awaitOwn: async () => judged(await roles.awaitOwn()),
      twins: { ...roles.twins, lock: async (base) => judged(await roles.twins.lock(base)) },
    });
    return {
      tryPassword: (credential, work, within) =>
        inner.tryPassword(credential, (roles) => work(sessions(roles)), within),
      withLogin: (credential, work) => inner.withLogin(credential, (roles) => work(sessions(roles))),
    };
  }

  async begin(_: SecretName, name: string): Promise<void> {
    this.#name(name, await this.#secret.begin());
  }

  async perform(deed: Deed): Promise<void> {
    const { AWSCURRENT, AWSPENDING, AWSPREVIOUS } = await this.#secret.labels();
    const client = this.#around.account.client;
    switch (deed) {
      case 'begins T2':
        // RotateSecret refuses where a late PutSecretValue has put the label back.
        if (AWSPENDING !== AWSCURRENT) await this.#move('AWSPENDING', AWSPENDING, undefined);
        return await this.begin('app', 'T2');
      case 'takes AWSPENDING off':
        return await this.#move('AWSPENDING', AWSPENDING, undefined);
      case 'takes AWSPENDING off T1':
        return AWSPENDING === this.tokenOf('T1') ? await this.#move('AWSPENDING', AWSPENDING, undefined) : undefined;
      case 'cancels the rotation':
        return void (await client.send(new CancelRotateSecretCommand({ SecretId: this.#secret.arn })));
      case 'moves AWSPENDING to T1':
        return await this.#move('AWSPENDING', AWSPENDING, this.tokenOf('T1'));
      case 'moves AWSPENDING to the version that is AWSPREVIOUS':
        return await this.#move('AWSPENDING', AWSPENDING, AWSPREVIOUS);
      case 'rolls AWSCURRENT back':
        return await this.#move('AWSCURRENT', AWSCURRENT, AWSPREVIOUS ?? AWSCURRENT);
      case 'edits a member of AWSCURRENT':
        return this.#name('E1', await this.#secret.put({ note: 'edited' }));
      case 'stores AWSCURRENT once more':
        return this.#name('E2', await this.#secret.put({}));
      case 'sets a password by hand':
        return await this.#setByHand();
      case 'stores the password set by hand':
        return this.#name('E3', await this.#secret.put({ password: this.password('by hand') }));
      default: {
        const never: never = deed;
        return never;
      }
    }
  }

  /** How many of the role's sessions, or of those that speak of it, wait for a lock. */
  async waiting(): Promise<number> {
    const { rows } = await this.#around.admin.query(
      `SELECT FROM pg_stat_activity WHERE (usename = $1 OR strpos(query, $1) > 0) AND wait_event_type = 'Lock'`,
      [this.#role],
    );
    return rows.length;
  }

  async end(): Promise<EndOfStage> {
    const { account, admin } = this.#around;
    const { RotationEnabled } = await account.client.send(new DescribeSecretCommand({ SecretId: this.#secret.arn }));
    const labels = await this.#secret.labels();
    const named = ['AWSCURRENT', 'AWSPENDING', 'AWSPREVIOUS'].map((label) => [
      label,
      this.names(labels[label] ?? 'none'),
    ]);
    const accepts: Record<string, string> = {};
    for (const suffix of ['', '_clone'])
      for (const [name, password] of this.#passwords)
        if (await opensNow({ username: `${this.#role}${suffix}`, password }, admin)) accepts[`app${suffix}`] = name;
    return { rotationEnabled: RotationEnabled === true, labels: Object.fromEntries(named), accepts };
  }

  /** Somebody else's change of the role has it fail, after a wait: a DBA tries again. */
  async #setByHand(): Promise<void> {
    const role = JSON.parse(await this.#secret.text()).username;
    const statement = `ALTER ROLE ${escapeIdentifier(role)} PASSWORD ${escapeLiteral(this.password('by hand'))}`;
    for (;;) {
      try {
        await this.#around.server.query(statement);
        return;
      } catch (error) {
        if (!(error instanceof DatabaseError && error.code === 'XX000')) throw error;
      }
    }
  }

  async #move(VersionStage: string, from: string | undefined, to: string | undefined): Promise<void> {
    if (from === to) return;
    const move = { VersionStage, RemoveFromVersionId: from, MoveToVersionId: to };
    await this.#around.account.client.send(
      new UpdateSecretVersionStageCommand({ SecretId: this.#secret.arn, ...move }),
    );
  }

  #name(name: string, id: string): void {
    this.#names.set(id, name);
    this.#ids.set(name, id);
  }
}
