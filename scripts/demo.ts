/** `npm run demo`: both rotation strategies at work, on a PostgreSQL and a Secrets Manager that are gone afterwards. */
import { demo } from './demo/demo.ts';
import { runCommand } from './lab/command/interruption.ts';

const HELP = `Usage: npm run demo

Starts a PostgreSQL and a local Secrets Manager, rotates passwords with the built functions, single user and
alternating users, and checks with the server what came of it. Takes less than a minute, needs neither an AWS account
nor a container engine, and leaves nothing behind. Exits with 0 only if everything was checked and held.
`;

await runCommand(async (signal) => {
  const [argument] = process.argv.slice(2);
  if (argument === '--help' || argument === '-h') {
    process.stdout.write(HELP);
    return 0;
  }
  if (argument !== undefined) {
    console.error('The demo takes no arguments but --help.');
    return 2;
  }
  console.log('Starting PostgreSQL, Secrets Manager and the rotation functions …\n');
  return await demo((text) => console.log(text), signal);
});
