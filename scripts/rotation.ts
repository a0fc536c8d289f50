/** `rotation`: the operator's command. `rotation --help` tells the rest. */
import { runCommand } from './lab/command/interruption.ts';
import { runRotation } from './rotation/program.ts';

await runCommand((signal) => runRotation(process.argv.slice(2), signal));
