import type { SecretsLab } from '../../scripts/lab/secrets-lab.ts';
import { parseLogLine } from '../../shared/lambda/step-line.ts';

/** What a function's log says of a step: the members that shared/lambda/observer.ts gives its lines. */
export interface LoggedStep {
  readonly step?: string;
  readonly version_id?: string;
  readonly secret_arn?: string;
  readonly duration_ms?: number;
  readonly outcome?: string;
  readonly credential?: string;
  readonly error_code?: string;
  readonly error_message?: string;
  readonly remedy?: string;
  readonly [other: string]: unknown;
}

/** Collects what the functions write. */
export class FunctionOutput {
  readonly #lines: string[] = [];
  /** Lines that end a step and that nobody has taken yet. */
  readonly #ends: LoggedStep[] = [];

  constructor(lab: SecretsLab) {
    lab.on((event) => {
      if (event.type !== 'log-line') return;
      this.#lines.push(event.line);
      const line = parseLogLine(event.line);
      if (line?.step?.outcome !== undefined) this.#ends.push(line.members);
    });
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  /** The lines that are JSON, such as the logger's and the metrics'. */
  get objects(): readonly LoggedStep[] {
    return this.#lines.map(parse).filter((line) => line !== undefined);
  }

  contains(text: string): boolean {
    // In JSON, quotes and backslashes are written otherwise.
    const escaped = JSON.stringify(text).slice(1, -1);
    return this.#lines.some((line) => line.includes(text) || line.includes(escaped));
  }

  /** Takes the oldest line that ends this step of this version. */
  takeEnd(step: string, versionId: string): LoggedStep | undefined {
    const index = this.#ends.findIndex((line) => line.step === step && line.version_id === versionId);
    return index === -1 ? undefined : this.#ends.splice(index, 1)[0];
  }
}

function parse(line: string): LoggedStep | undefined {
  return parseLogLine(line)?.members;
}
