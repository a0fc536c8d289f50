#!/usr/bin/env node
/** `rotation`: the operator's command. `rotation --help` tells the rest. */
import { runCommand } from '../shared/terminal/interruption.ts';
import { runRotation } from './program.ts';

await runCommand((signal) => runRotation(process.argv.slice(2), signal));
