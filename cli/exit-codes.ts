/** What the command's exit codes mean. They are part of its interface: docs/rotation-command.md lists them. */
export const EXIT = {
  /** Done, and nothing is wrong. */
  done: 0,
  /** AWS refused a call or could not be reached, or the command itself is at fault. */
  error: 1,
  /** The command line makes no sense, or something is missing that there is nobody to ask for. */
  usage: 2,
  /** What was looked at is not well: a rotation failed, a secret is stuck, a check found something broken. */
  unwell: 3,
  /** Refused before anything was changed: a check failed, or the answer to the question was no. */
  refused: 4,
  /** Not known: watching ended before the rotation did, or the new login could not be tried from here. */
  unproven: 5,
  /** Ctrl-C. A rotation that was being watched goes on. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
