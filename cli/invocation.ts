/** How this command is called, for commands that are to be pasted. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const COMMAND =
  /\brotation (?:create|attach|now|rollback|status|doctor|adopt-clone|coverage|report|history|pause|resume|detach|update|psql|run|code) /;

/** Whether a text names a command to paste, such as "rotation doctor prod/shop". */
export function mentionsCommand(text: string): boolean {
  return COMMAND.test(text);
}

/** @returns what stands for `rotation` in a shell; undefined where it is that word. */
export function wayToCall({ PATH = '', npm_lifecycle_event: script }: NodeJS.ProcessEnv): string | undefined {
  if (script === 'rotation') return '`npm run rotation --`';
  if (PATH.split(delimiter).some((folder) => folder !== '' && existsSync(join(folder, 'rotation')))) return undefined;
  const bin = join(fileURLToPath(new URL('..', import.meta.url)), 'bin', 'rotation.mjs');
  return existsSync(bin) ? `\`${bin}\`` : undefined;
}
