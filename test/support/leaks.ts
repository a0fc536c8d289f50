import type { SecretsLab } from '../../scripts/lab/secrets-lab.ts';

/** What PostgreSQL stores of a password, by SCRAM or by md5. */
const VERIFIER = /SCRAM-SHA-256\$\d+:|\bmd5[0-9a-f]{32}\b/;

/**
 * What looks like a verifier or a RotationToken, whoever made it. Outputs are searched for these besides the passwords
 * that the lab's secrets hold, because verifiers are made where no test can see them.
 */
const PATTERNS: Readonly<Record<string, RegExp>> = {
  'a verifier': VERIFIER,
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

  /** Every password that the lab's secrets hold or held, and what was kept besides. */
  passwords(): ReadonlySet<string> {
    return new Set([...this.#needles, ...this.#lab.storedValues().flatMap(secretsIn)]);
  }

  /** @returns one sentence for each kind of secret in each output. */
  search(outputs: NamedOutputs): string[] {
    const secrets = this.passwords();
    return Object.entries(outputs).flatMap(([name, output]) => {
      const kinds = Object.entries(PATTERNS).filter(([, pattern]) => pattern.test(output));
      const isShown = (secret: string) => disguises(secret).some((text) => output.includes(text));
      const passwords = [...secrets].filter(isShown).length;
      return [
        ...kinds.map(([kind]) => `${kind} in ${name}`),
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

/** How many of the passwords are in a long text. Those of the usual alphabet are looked up word by word, which is fast. */
export function passwordsIn(text: string, passwords: ReadonlySet<string>): number {
  const words = new Set(Array.from(text.matchAll(/[\w.~-]{8,}/g), ([word]) => word));
  const isShown = (password: string) => (/^[\w.~-]+$/.test(password) ? words.has(password) : text.includes(password));
  return [...passwords].filter(isShown).length;
}

export function verifiersIn(text: string): number {
  return text.match(new RegExp(VERIFIER, 'g'))?.length ?? 0;
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
