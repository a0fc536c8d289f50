/** `npm run demo`: both rotation strategies at work, on a PostgreSQL and a Secrets Manager that are gone afterwards. */
import { Command } from 'commander';
import { runCommand } from '../shared/terminal/interruption.ts';
import { demo } from './demo/demo.ts';
import { readArguments, tell } from './lab/command/command-line.ts';
import { forgetShell } from './lab/shell.ts';

const program = new Command('npm run demo').description(
  'Starts a PostgreSQL and a local Secrets Manager, rotates passwords with the built functions, single user and alternating users, and checks with the server what came of it. Takes less than a minute, needs neither an AWS account nor a container engine, and leaves nothing behind. Exits with 0 only if everything was checked and held.',
);

await runCommand(async (signal) => {
  forgetShell();
  try {
    readArguments(program, process.argv.slice(2));
  } catch (error) {
    return tell(error, 'npm run demo');
  }
  console.log('Starting PostgreSQL, Secrets Manager and the rotation functions …\n');
  return await demo((text) => console.log(text), signal);
});
