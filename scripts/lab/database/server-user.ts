import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** An operating-system user by number; undefined everywhere below means "the one that we are". */
export interface SystemUser {
  readonly uid: number;
  readonly gid: number;
}

/** initdb and postgres refuse to run as root, so root lends them an unprivileged user that every system has. */
export async function serverUser(): Promise<SystemUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    const user = await lookUp(name);
    if (user !== undefined) return user;
  }
  throw new Error('PostgreSQL does not run as root and needs a user named postgres or nobody, and there is neither.');
}

async function lookUp(name: string): Promise<SystemUser | undefined> {
  try {
    const [uid, gid] = await Promise.all(
      ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, name])).stdout)),
    );
    return uid !== undefined && gid !== undefined ? { uid, gid } : undefined;
  } catch {
    return undefined;
  }
}

/** spawn() takes ids as signed 32-bit numbers (macOS: nobody is 4294967294, that is -2). */
export function spawnAs(user: SystemUser | undefined): { uid?: number; gid?: number } {
  return user === undefined ? {} : { uid: user.uid | 0, gid: user.gid | 0 };
}

async function canWrite(user: SystemUser, folder: string): Promise<boolean> {
  try {
    await run('/bin/sh', ['-c', 'cd "$1" && test -w .', 'sh', folder], { ...spawnAs(user), cwd: '/' });
    return true;
  } catch {
    return false;
  }
}

/** The temporary folder, or /tmp where that is closed to `user` (root's may be private). */
export async function temporaryFolder(user: SystemUser | undefined): Promise<string> {
  return user === undefined || (await canWrite(user, tmpdir())) ? tmpdir() : '/tmp';
}
