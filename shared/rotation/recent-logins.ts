import type { CredentialSource } from '../errors.ts';
import type { PasswordRequest, StoredForScram } from './ports.ts';

/** How long a login by this instance is believed, in ms: longer than a rotation, shorter than anyone's patience. */
const BELIEVED_FOR = 5 * 60_000;

/** What a login shows of how its password is stored. */
export function storedForScram(request: PasswordRequest | undefined): StoredForScram {
  return request?.method === 'clear' ? undefined : request?.method === 'scram-sha-256';
}

/** What is remembered of a version: never its value, which a version's id stands for, as it never changes. */
export interface RecentLogin {
  readonly source: CredentialSource;
  readonly scram: StoredForScram;
  /** The superuser secret that it names, where one was needed: an id, which another version may not have. */
  readonly superuserSecretArn?: string | undefined;
  /** Of the pending version, once setSecret or testSecret has logged in with it as they must: what finishSecret need not do. */
  readonly proof?: {
    /** The id of the version that was current when the two were compared; undefined where they were not. */
    readonly comparedWith: string | undefined;
    /** Of that which was current when testSecret logged in. */
    readonly besides?: string | undefined;
  };
}

interface Entry extends RecentLogin {
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Versions that this very instance has just logged in with, so that the next step need not log in again. */
export class RecentLogins {
  /** By version, by secret. */
  readonly #logins = new Map<string, Map<string, Entry>>();

  add(secretArn: string, versionId: string, login: RecentLogin, now = Date.now()): void {
    for (const [secret, versions] of this.#logins) {
      for (const [version, { at }] of versions) if (now - at > BELIEVED_FOR) versions.delete(version);
      if (versions.size === 0) this.#logins.delete(secret);
    }
    this.#logins.set(secretArn, this.#of(secretArn).set(versionId, { ...login, at: now }));
  }

  get(secretArn: string, versionId: string, now = Date.now()): RecentLogin | undefined {
    const login = this.#of(secretArn).get(versionId);
    return login !== undefined && now - login.at <= BELIEVED_FOR ? login : undefined;
  }

  /** The version of the secret that was logged in with last. */
  latest(secretArn: string, now = Date.now()): (RecentLogin & { readonly versionId: string }) | undefined {
    const versions = [...this.#of(secretArn)].filter(([, { at }]) => now - at <= BELIEVED_FOR);
    const [found] = versions.sort(([, a], [, b]) => b.at - a.at);
    return found === undefined ? undefined : { versionId: found[0], ...found[1] };
  }

  forget(secretArn: string, versionId: string): void {
    this.#of(secretArn).delete(versionId);
  }

  /** A password of the secret is about to change: of its versions only these logins still count. */
  keepOnly(secretArn: string, versionIds: readonly string[]): void {
    const versions = this.#of(secretArn);
    for (const version of versions.keys()) if (!versionIds.includes(version)) versions.delete(version);
  }

  #of(secretArn: string): Map<string, Entry> {
    return this.#logins.get(secretArn) ?? new Map<string, Entry>();
  }
}
