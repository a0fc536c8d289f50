/** All secrets of the account, by region and name. */
import { randomInt } from 'node:crypto';
import { ACCOUNT_ID } from '../account.ts';
import { secretNotFound } from './errors.ts';
import type { Version } from './labels.ts';
import type { Secret } from './secret.ts';

const ALPHANUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const SUFFIX = /-[A-Za-z0-9]{6}$/;

export class SecretsState {
  readonly #regions = new Map<string, Map<string, Secret>>();
  readonly #now: () => Date;

  constructor(now: () => Date) {
    this.#now = now;
  }

  add(secret: Secret): void {
    this.#region(secret.region).set(secret.content.name, secret);
  }

  remove(secret: Secret): void {
    this.#region(secret.region).delete(secret.content.name);
  }

  /** Secrets of a region, those scheduled for deletion included. */
  list(region: string): Secret[] {
    const secrets = [...this.#region(region).values()];
    for (const secret of secrets.filter((candidate) => this.#isGone(candidate))) this.remove(secret);
    return secrets.filter((secret) => !this.#isGone(secret));
  }

  /** Every version of every secret, in all regions. */
  allVersions(): Version[] {
    const secrets = [...this.#regions.values()].flatMap((region) => [...region.values()]);
    return secrets.flatMap(({ content }) => content.versions);
  }

  /** By name, full ARN, or ARN without its suffix, in the region of the call. */
  find(region: string, id: string): Secret | undefined {
    const secrets = this.list(region);
    if (!id.startsWith('arn:')) return secrets.find((secret) => secret.content.name === id);
    const exact = secrets.find((secret) => secret.arn === id);
    // A name that itself ends in a hyphen and six characters is taken for a full ARN, so only that could have matched.
    if (exact || SUFFIX.test(id)) return exact;
    return secrets.find((secret) => secret.arn.slice(0, -7) === id);
  }

  /** @throws ResourceNotFoundException */
  get(region: string, id: string): Secret {
    const secret = this.find(region, id);
    if (!secret) throw secretNotFound();
    return secret;
  }

  #isGone(secret: Secret): boolean {
    const { deletionDate } = secret.content;
    return deletionDate !== undefined && deletionDate <= this.#now();
  }

  #region(name: string): Map<string, Secret> {
    const known = this.#regions.get(name);
    if (known) return known;
    const created = new Map<string, Secret>();
    this.#regions.set(name, created);
    return created;
  }
}

export function newArn(region: string, name: string): string {
  const suffix = Array.from({ length: 6 }, () => ALPHANUMERIC.charAt(randomInt(ALPHANUMERIC.length))).join('');
  return `arn:aws:secretsmanager:${region}:${ACCOUNT_ID}:secret:${name}-${suffix}`;
}
