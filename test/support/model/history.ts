import { randomBytes, randomUUID } from 'node:crypto';
import {
  CancelRotateSecretCommand,
  PutSecretValueCommand,
  ReplicateSecretToRegionsCommand,
  RotateSecretCommand,
  SecretsManagerServiceException,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { escapeIdentifier, escapeLiteral } from 'pg';
import type { InvocationResult } from '../../../scripts/lab/functions/protocol.ts';
import { opensNow, violations } from '../crash/invariants.ts';
import { newPassword, type StoredLogin, type Subject } from '../crash/subject.ts';
import type { Command, StepCall } from './commands.ts';
import type { World } from './world.ts';

const DAY_MS = 86_400_000;

/** A secret, its roles and everything that has happened to them: runs commands and says which promise was broken. */
export class History {
  readonly #world: World;
  readonly #subject: Subject;
  /** ClientRequestTokens of rotations, oldest first. */
  readonly #tokens: string[] = [];
  /** Passwords that a DBA set by hand: the only ones that need not be in a version. */
  readonly #setByHand: StoredLogin[] = [];
  #replicated = false;

  constructor(world: World, subject: Subject) {
    this.#world = world;
    this.#subject = subject;
  }

  /** @returns promises that are broken after the command, in words that name no secret. */
  async run(command: Command): Promise<string[]> {
    const worked = await this.#currentWorks();
    await this.#perform(command);
    const broken = await this.#broken();
    const mayBreak =
      command.does === 'put a value' || command.does === 'change a password' || command.does === 'roll AWSCURRENT back';
    if (this.#world.strategy === 'alternating-users' && worked && !mayBreak && !(await this.#currentWorks()))
      broken.push('AWSCURRENT logged in, and does so no more');
    return broken;
  }

  /**
   * What an operator does in the end: cancel, clean up, rotate. Where nobody has put a wrong value or set a password by
   * hand that must do; where somebody has, the remedy that the error names must.
   */
  async recover(): Promise<string[]> {
    const { strategy } = this.#world;
    await this.#perform({ does: 'cancel the rotation' });
    await this.#perform({ does: 'take AWSPENDING off' });
    const before = await this.#subject.labels();
    const current = await this.#subject.current();
    const works = await this.#currentWorks();

    await this.#perform({ does: 'rotate' });
    if ((await this.#subject.labels()).AWSCURRENT === before.AWSCURRENT) {
      if (works) return [`AWSCURRENT works, and a new rotation (${strategy}) fails: ${this.#world.lastError}`];
      if (!['NO_WORKING_PASSWORD', 'PASSWORD_NOT_ACCEPTED'].includes(this.#world.lastError))
        return [`AWSCURRENT does not work, and the error is ${this.#world.lastError}`];
      await this.#setPassword(current.username, current.password);
      await this.#perform({ does: 'cancel the rotation' });
      await this.#perform({ does: 'take AWSPENDING off' });
      await this.#perform({ does: 'rotate' });
      if ((await this.#subject.labels()).AWSCURRENT === before.AWSCURRENT)
        return [`the remedy did not help: ${this.#world.lastError}`];
    }
    return [...(await this.#broken()), ...((await this.#currentWorks()) ? [] : ['AWSCURRENT does not log in'])];
  }

  async #perform(command: Command): Promise<void> {
    const { client, clock } = this.#world;
    const SecretId = this.#subject.arn;
    switch (command.does) {
      case 'begin a rotation':
        return await this.#rotate(this.#world.registersOnly);
      case 'rotate':
        return await this.#rotate(this.#world.functionArn);
      case 'call a step':
        return void (await this.#call(command.call));
      case 'call two steps at once':
        return void (await Promise.all(command.calls.map((call) => this.#call(call))));
      case 'let time pass':
        clock.jump(command.days * DAY_MS);
        return await this.#world.lab.settled(SecretId);
      case 'cancel the rotation':
        return await allowed(client.send(new CancelRotateSecretCommand({ SecretId })));
      case 'take AWSPENDING off':
        return await this.#takePendingOff();
      case 'move AWSPENDING':
        return await this.#movePending(command.rotation);
      case 'roll AWSCURRENT back':
        return await this.#rollBack();
      case 'replicate':
        if (this.#replicated) return;
        this.#replicated = true;
        return await allowed(
          client.send(new ReplicateSecretToRegionsCommand({ SecretId, AddReplicaRegions: [{ Region: 'eu-west-1' }] })),
        );
      case 'put a value':
        return await this.#put(command.password);
      case 'change a password':
        return await this.#changePassword(command.whose);
      default: {
        const never: never = command;
        return never;
      }
    }
  }

  async #rotate(RotationLambdaARN: string): Promise<void> {
    const token = randomUUID();
    this.#tokens.push(token);
    this.#world.lastError = '';
    await allowed(
      this.#world.client.send(
        new RotateSecretCommand({
          SecretId: this.#subject.arn,
          ClientRequestToken: token,
          RotationLambdaARN,
          RotationRules: { AutomaticallyAfterDays: 30 },
        }),
      ),
    );
    await this.#world.lab.settled(this.#subject.arn);
  }

  async #call({ rotation, step, early }: StepCall): Promise<InvocationResult | undefined> {
    const token = this.#tokens.at(-1 - rotation);
    if (token === undefined) return undefined;
    if (step !== 'createSecret' && !early && !(await this.#subject.hasValue(token))) return undefined;
    const event = { Step: step, SecretId: this.#subject.arn, ClientRequestToken: token, RotationToken: randomUUID() };
    return await this.#world.lab.functions.invoke(this.#world.functionArn, event);
  }

  async #takePendingOff(): Promise<void> {
    const { AWSPENDING } = await this.#subject.labels();
    if (AWSPENDING !== undefined) await this.#move('AWSPENDING', AWSPENDING, undefined);
  }

  async #movePending(rotation: number): Promise<void> {
    const { AWSPENDING } = await this.#subject.labels();
    await this.#move('AWSPENDING', AWSPENDING, this.#tokens.at(-1 - rotation));
  }

  async #rollBack(): Promise<void> {
    const { AWSCURRENT, AWSPREVIOUS } = await this.#subject.labels();
    if (AWSPREVIOUS !== undefined) await this.#move('AWSCURRENT', AWSCURRENT, AWSPREVIOUS);
  }

  async #move(VersionStage: string, from: string | undefined, to: string | undefined): Promise<void> {
    await allowed(
      this.#world.client.send(
        new UpdateSecretVersionStageCommand({
          SecretId: this.#subject.arn,
          VersionStage,
          RemoveFromVersionId: from,
          MoveToVersionId: to,
        }),
      ),
    );
  }

  async #put(which: 'unchanged' | 'wrong' | "the database's"): Promise<void> {
    const value = JSON.parse(await this.#subject.currentText());
    const byHand = this.#setByHand.findLast(({ username }) => username === value.username)?.password;
    const password = { unchanged: value.password, wrong: newPassword(), "the database's": byHand ?? value.password }[
      which
    ];
    await allowed(
      this.#world.client.send(
        new PutSecretValueCommand({
          SecretId: this.#subject.arn,
          SecretString: JSON.stringify({ ...value, password, note: randomBytes(4).toString('hex') }),
        }),
      ),
    );
  }

  async #changePassword(whose: 'base' | 'twin'): Promise<void> {
    const username = this.#subject.roles[whose === 'base' ? 0 : 1] ?? '';
    const { rows } = await this.#world.admin.query('SELECT FROM pg_roles WHERE rolname = $1', [username]);
    if (rows.length > 0) await this.#setPassword(username, newPassword());
  }

  async #setPassword(username: string, password: string): Promise<void> {
    this.#setByHand.push({ username, password });
    await this.#world.admin.query(`ALTER ROLE ${escapeIdentifier(username)} PASSWORD ${escapeLiteral(password)}`);
  }

  async #currentWorks(): Promise<boolean> {
    return await opensNow(await this.#subject.current(), this.#world.admin);
  }

  async #broken(): Promise<string[]> {
    // AWSCURRENT's login is looked at apart: a user or a DBA may have spoilt it.
    return await violations(this.#subject, 'single-user', this.#world.admin, this.#setByHand);
  }
}

/** What the service refuses, it refuses to users too: that is no fault of the function's. */
async function allowed(answer: Promise<unknown>): Promise<void> {
  try {
    await answer;
  } catch (error) {
    if (!(error instanceof SecretsManagerServiceException) || error.$fault !== 'client') throw error;
  }
}
