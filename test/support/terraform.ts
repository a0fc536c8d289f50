/** Terraform, run on copies of terraform/ so that nothing of it is left in the checkout. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { toolIsHere } from './tools.ts';

const MODULE = fileURLToPath(new URL('../../terraform', import.meta.url));

/** REQUIRE_TERRAFORM=1 insists on it. It finds the AWS provider by the configuration that TF_CLI_CONFIG_FILE names. */
export const terraformIsHere = toolIsHere('Terraform', ['terraform', 'version'], 'REQUIRE_TERRAFORM');

export interface TerraformRun {
  readonly status: number;
  readonly stdout: string;
  /** What was written to both outputs, without colours. */
  readonly output: string;
}

/** A folder of its own with the module in `module/`, which goes when the test ends. */
export class TerraformFolder implements AsyncDisposable {
  readonly path: string;
  readonly #environment: Readonly<Record<string, string>>;

  /** @param environment of every run, such as credentials and endpoints. */
  static async create(environment: Readonly<Record<string, string>> = {}): Promise<TerraformFolder> {
    const path = await mkdtemp(join(tmpdir(), 'terraform-'));
    const filter = (file: string) => !/\/(\.terraform.*|.*\.tfstate.*)$/.test(file);
    await cp(MODULE, join(path, 'module'), { recursive: true, filter });
    return new TerraformFolder(path, environment);
  }

  private constructor(path: string, environment: Readonly<Record<string, string>>) {
    this.path = path;
    this.#environment = environment;
  }

  async write(file: string, content: unknown): Promise<void> {
    await writeFile(join(this.path, file), typeof content === 'string' ? content : JSON.stringify(content));
  }

  async read(file: string): Promise<string> {
    return await readFile(join(this.path, file), 'utf8');
  }

  /**
   * @param within a folder of this one. Default: itself.
   * @returns how it ended, whatever that was.
   */
  async try(args: readonly string[], within = '.'): Promise<TerraformRun> {
    const env = { ...process.env, TF_IN_AUTOMATION: '1', TF_INPUT: '0', CHECKPOINT_DISABLE: '1', ...this.#environment };
    const options = { cwd: join(this.path, within), env, maxBuffer: 256 * 1024 * 1024 };
    const withoutColour = args[0] === 'output' || args.includes('-json') ? args : [...args, '-no-color'];
    const { code, stdout, stderr } = await promisify(execFile)('terraform', withoutColour, options).then(
      (outputs) => ({ code: 0, ...outputs }),
      (failure: { code: number | string; stdout: string; stderr: string }) => failure,
    );
    if (typeof code !== 'number') throw new Error(`terraform could not be run: ${code}.`);
    return { status: code, stdout, output: `${stdout}${stderr}` };
  }

  /** @throws Error with its output where it fails. */
  async run(args: readonly string[], within?: string): Promise<string> {
    const { status, stdout, output } = await this.try(args, within);
    if (status !== 0) throw new Error(`terraform ${args.join(' ')} ended with ${status}:\n${output}`);
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}
