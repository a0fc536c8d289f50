import type { ApiCall, ApiWatcher, Passage } from '../../../scripts/relays/api-relay.ts';
import { type Gate, OPEN } from './gate.ts';

/** At a relay between a function and the lab's Secrets Manager: asks its gate before each request and each answer. */
export class GatedApi implements ApiWatcher {
  gate: Gate = OPEN;
  /** Of each call's request and answer alike, also where the gate changes in between. */
  readonly #gates = new WeakMap<ApiCall, Gate>();

  async request(call: ApiCall): Promise<Passage> {
    this.#gates.set(call, this.gate);
    return await this.gate.reach(`${labelOf(call)}, request`);
  }

  async answer(call: ApiCall): Promise<Passage> {
    return await (this.#gates.get(call) ?? OPEN).reach(`${labelOf(call)}, answer`);
  }
}

function labelOf({ operation, body }: ApiCall): string {
  const { VersionStage, VersionId, SecretId }: Record<string, unknown> = JSON.parse(body);
  const version = VersionStage ?? (VersionId === undefined ? '' : 'by id');
  const owner = String(SecretId).includes('superuser') ? "superuser's" : '';
  return [operation, owner, version].filter((word) => word !== '').join(' ');
}
