import { afterAll } from 'vitest';
import type { PostgresServer } from '../../scripts/lab/database/server.ts';
import { RotationCommand } from './command.ts';
import { sharedServer } from './postgres.ts';
import { RotationBench } from './rotation-bench.ts';

/** What the tests of `rotation` work with. */
export interface Operator {
  readonly bench: RotationBench;
  readonly command: RotationCommand;
  readonly server: PostgresServer;
}

/** `const { bench, command, server } = await operator()` for the tests of one file; nothing that they write may show a secret. */
export async function operator(): Promise<Operator> {
  const bench = await RotationBench.open();
  const command = new RotationCommand(bench.lab);
  afterAll(async () => {
    await command[Symbol.asyncDispose]();
    try {
      bench.leaks.verify({ "the command's output": command.written });
    } finally {
      await bench[Symbol.asyncDispose]();
    }
  });
  return { bench, command, server: await sharedServer() };
}
