import { RotationError } from '../../shared/errors.ts';
import type { SecretStore, StoredVersion, WhichVersion } from '../../shared/rotation/ports.ts';

interface Version {
  readonly id: string;
  text: string | undefined;
  readonly labels: Set<string>;
}

/**
 * A secret in memory that answers as Secrets Manager does, as far as a rotation asks it: one value for each version,
 * which never changes; one version for each label; AWSPREVIOUS follows AWSCURRENT. `before` is where a schedule of several
 * actors waits, or lets something happen.
 */
export class FakeSecrets {
  rotationEnabled = true;
  mayList = true;
  tags: Readonly<Record<string, string>> = {};
  /** Calls that were sent, in order, such as "GetSecretValue AWSCURRENT". */
  readonly calls: string[] = [];
  /** Runs before a call is answered; what it throws is the call's failure. */
  before: (call: string) => Promise<void> | void = () => {};
  /** A version that GetSecretValue goes on answering for AWSCURRENT, for so many times. */
  stale: { readonly versionId: string; times: number } | undefined;
  /** So many reads of AWSPENDING find nothing, though it is there. */
  hidden = 0;
  readonly #versions: Version[] = [];

  /** A version, of which the newest is the last one. A label leaves the version that has it. */
  put(id: string, text: string | undefined, ...labels: string[]): this {
    const version = this.#find(id) ?? { id, text: undefined, labels: new Set<string>() };
    version.text ??= text;
    if (!this.#versions.includes(version)) this.#versions.push(version);
    for (const label of labels) this.label(label, id);
    return this;
  }

  /** Moves a label; without `to` takes it off. */
  label(label: string, to?: string): void {
    const from = this.#versions.find(({ labels }) => labels.has(label));
    if (from?.id === to) return;
    from?.labels.delete(label);
    if (to !== undefined) this.#find(to)?.labels.add(label);
    if (label === 'AWSCURRENT' && from !== undefined) this.label('AWSPREVIOUS', from.id);
  }

  /** A version's label becomes another one. */
  relabel(from: string, to: string): void {
    const id = this.with(from);
    this.label(from);
    this.label(to, id);
  }

  disable(): void {
    this.rotationEnabled = false;
  }

  /** The id of the version that has a label. */
  with(label: string): string | undefined {
    return this.#versions.find(({ labels }) => labels.has(label))?.id;
  }

  textOf(id: string): string | undefined {
    return this.#find(id)?.text;
  }

  /** Equal for states from which the same can come. */
  fingerprint(): string {
    const versions = this.#versions.map(({ id, text, labels }) => `${id} ${text} ${[...labels].sort()}`);
    return `${this.rotationEnabled} ${this.stale?.times} ${versions.join(', ')}`;
  }

  /** The same secret as it is now, whatever becomes of this one. */
  copy(): FakeSecrets {
    const copy = new FakeSecrets();
    copy.rotationEnabled = this.rotationEnabled;
    for (const { id, text, labels } of this.#versions) copy.#versions.push({ id, text, labels: new Set(labels) });
    return copy;
  }

  /** All values, of versions without a label too. */
  texts(): string[] {
    return this.#versions.flatMap(({ text }) => text ?? []);
  }

  /** The port, for the rotation whose token it is. */
  store(token: string): SecretStore {
    const keyOf = ({ versionId, stage }: WhichVersion) => [versionId, stage].filter(Boolean).join(' ');
    return {
      describe: async () => {
        await this.#call('DescribeSecret');
        const labelled = this.#versions.filter(({ labels }) => labels.size > 0);
        const stages = Object.fromEntries(labelled.map(({ id, labels }) => [id, [...labels]]));
        return { rotationEnabled: this.rotationEnabled, stages, tags: this.tags };
      },
      read: async (which) => {
        await this.#call(`GetSecretValue ${keyOf(which)}`);
        return this.#get(which);
      },
      putPending: async (text) => {
        await this.#call('PutSecretValue');
        if (this.#find(token)?.text !== undefined && this.textOf(token) !== text) return 'already-stored';
        this.put(token, text, 'AWSPENDING');
        return 'stored';
      },
      promotePending: async (from) => {
        await this.#call('UpdateSecretVersionStage');
        if (this.with('AWSCURRENT') !== from) return 'label-moved';
        this.label('AWSCURRENT', token);
        return 'promoted';
      },
      unlabelledVersions: async () => {
        await this.#call('ListSecretVersionIds');
        if (!this.mayList) return { versionIds: [], denied: true };
        const unlabelled = this.#versions.filter(({ labels }) => ![...labels].some((label) => label.startsWith('AWS')));
        return { versionIds: unlabelled.map(({ id }) => id).toReversed(), denied: false };
      },
    };
  }

  async #call(call: string): Promise<void> {
    this.calls.push(call);
    await this.before(call);
  }

  #find(id: string): Version | undefined {
    return this.#versions.find((version) => version.id === id);
  }

  #get({ versionId, stage }: WhichVersion): StoredVersion | undefined {
    const current = stage === 'AWSCURRENT' && this.stale !== undefined && this.stale.times-- > 0;
    const id = current ? this.stale?.versionId : (versionId ?? this.with(stage ?? ''));
    const version = id === undefined ? undefined : this.#find(id);
    if (version === undefined) return undefined;
    if (stage === 'AWSPENDING' && this.hidden-- > 0) return undefined;
    if (versionId !== undefined && stage !== undefined && !version.labels.has(stage)) {
      throw new RotationError('VERSION_NOT_PENDING', 'The version was needed with its label, and it has lost it.', {
        remedy: 'Start another rotation.',
      });
    }
    const { text } = version;
    return text === undefined ? undefined : { versionId: version.id, text, createdAt: this.#versions.indexOf(version) };
  }
}
