import type { SecretsLab } from '../../scripts/lab/secrets-lab.ts';
import { linesWithoutVerifiers } from './role-log.ts';

/** What PostgreSQL stores of a password. */
const VERIFIERS = { 'a SCRAM verifier': /SCRAM-SHA-256\$\d+:/, 'an md5 verifier': /\bmd5[0-9a-f]{32}\b/ };

/**
 * What looks like a verifier or a RotationToken, whoever made it. Outputs are searched for these besides the passwords
 * that the lab's secrets hold, because verifiers are made where no test can see them.
 */
const PATTERNS: Readonly<Record<string, RegExp>> = {
  ...VERIFIERS,
  'a RotationToken': /rotation-token-[0-9a-f-]{36}|"RotationToken"/i,
};

/** Shorter texts may occur by chance. */
const SHORTEST_NEEDLE = 8;

export type NamedOutputs = Readonly<Record<string, string>>;

/**
 * Collects what no output may show, and the lab's own output, and searches for the one in the other.
 *
 * `const leaks = watchLeaks(lab)` before the first rotation, and `leaks.verify({ 'server log': … })` at the end: every
 * SecretString that was stored in the lab yields needles, those of malformed secrets included.
 */
export function watchLeaks(lab: SecretsLab): LeakWatch {
  return new LeakWatch(lab);
}

export class LeakWatch {
  readonly #lab: SecretsLab;
  readonly #needles = new Set<string>();
  readonly #events: string[] = [];

  constructor(lab: SecretsLab) {
    this.#lab = lab;
    lab.on((event) => this.#events.push(event.type === 'log-line' ? event.line : JSON.stringify(event)));
  }

  /** A text that no output may show, besides what the lab's secrets hold. */
  keepSecret(...texts: readonly string[]): void {
    for (const text of texts) if (text.length >= SHORTEST_NEEDLE) this.#needles.add(text);
  }

  /** What a function wrote that the lab did not start. */
  hear(line: string): void {
    this.#events.push(line);
  }

  /**
   * Searches what the lab and its functions have said, and `others`.
   * @throws Error that says where something was found and what kind of thing, but not the thing.
   */
  verify(others: NamedOutputs = {}): void {
    const found = this.search({
      "the functions' and the lab's events": this.#events.join('\n'),
      "the lab's request log": JSON.stringify(this.#lab.requests.all()),
      ...others,
    });
    if (found.length > 0) throw new Error(`No output should show a secret, but: ${found.join('; ')}.`);
  }

  /** @throws Error if the log shows a password of the lab's secrets, or anybody's verifier. */
  verifyServerLog(log: string): void {
    const found = shownInServerLog(log, this.passwords());
    if (found.length > 0) throw new Error(`No server's log should show a secret, but it shows ${found.join(' and ')}.`);
  }

  /** Every password that the lab's secrets hold or held, and what was kept besides. */
  passwords(): ReadonlySet<string> {
    return new Set([...this.#needles, ...this.#lab.storedValues().flatMap(secretsIn)]);
  }

  /** @returns one sentence for each kind of secret in each output. */
  search(outputs: NamedOutputs): string[] {
    const secrets = this.passwords();
    return Object.entries(outputs).flatMap(([name, output]) => {
      const kinds = kindsIn(output, PATTERNS);
      const isShown = (secret: string) => disguises(secret).some((text) => output.includes(text));
      const passwords = [...secrets].filter(isShown).length;
      return [
        ...kinds.map((kind) => `${kind} in ${name}`),
        ...(passwords === 0 ? [] : [`${passwords} passwords in ${name}`]),
      ];
    });
  }
}

/** The passwords in a SecretString, and all of it where it is no object with a password. */
export function secretsIn(text: string): string[] {
  const passwords = Array.from(text.matchAll(/"password"\s*:\s*("(?:[^"\\]|\\.)*"|[^,}\s]+)/g), ([, value = '']) =>
    plain(value),
  );
  return (passwords.length > 0 ? passwords : [text]).filter((secret) => secret.length >= SHORTEST_NEEDLE);
}

/**
 * What a server's log shows of these passwords and of any verifier, in words; it may be long, so passwords of the usual
 * alphabet are looked up word by word.
 */
export function shownInServerLog(log: string, passwords: ReadonlySet<string>): string[] {
  const words = new Set(Array.from(log.matchAll(/[\w.~-]{8,}/g), ([word]) => word));
  const isShown = (password: string) => (/^[\w.~-]+$/.test(password) ? words.has(password) : log.includes(password));
  const shown = [...passwords].filter(isShown).length;
  return [...(shown === 0 ? [] : [`${shown} passwords`]), ...kindsIn(linesWithoutVerifiers(log), VERIFIERS)];
}

function kindsIn(output: string, patterns: Readonly<Record<string, RegExp>>): string[] {
  return Object.keys(patterns).filter((kind) => patterns[kind]?.test(output));
}

function plain(json: string): string {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'string' ? value : json;
  } catch {
    return json;
  }
}

/** The ways in which a program might write a text. */
function disguises(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    secret.replaceAll("'", "''"),
    encodeURIComponent(secret.toWellFormed()),
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('hex'),
  ];
}
