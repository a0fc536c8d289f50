import { afterAll } from 'vitest';
import type { PostgresServer } from '../../scripts/lab/database/server.ts';
import { RotationCommand } from './command.ts';
import { sharedServer } from './postgres.ts';
import { TestAccount } from './test-account.ts';

/** What the tests of `rotation` work with. */
export interface Operator {
  readonly account: TestAccount;
  readonly command: RotationCommand;
  readonly server: PostgresServer;
}

/** `const { account, command, server } = await operator()` for the tests of one file; nothing that they write may show a secret. */
export async function operator(): Promise<Operator> {
  const account = await TestAccount.open();
  const command = new RotationCommand(account.lab);
  afterAll(async () => {
    await command[Symbol.asyncDispose]();
    try {
      account.leaks.verify({ "the command's output": command.written });
    } finally {
      await account[Symbol.asyncDispose]();
    }
  });
  return { account, command, server: await sharedServer() };
}
