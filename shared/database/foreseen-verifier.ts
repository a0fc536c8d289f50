import { randomBytes } from 'node:crypto';
import type { PasswordRequest } from '../rotation/ports.ts';
import { isAscii, type Password } from '../secret/password.ts';
import { DEFAULT_SCRAM_ITERATIONS, saslPrep, scramVerifier } from './password-hash.ts';

/** What is to be stored as a password. */
export interface Computed<Form extends string | undefined = string> {
  readonly verifier: Form;
  /** How long it took, in ms. */
  readonly computing: number;
}

/** A SCRAM verifier that is as good as certain to be wanted, computed while the server is asked for something else. */
export interface ForeseenVerifier {
  /** The password. */
  readonly clear: string;
  readonly iterations: number;
  readonly computed: Promise<Computed>;
}

/** Of a new password: with a salt of its own and the usual count. */
export function foreseeNew(password: Password | undefined): ForeseenVerifier | undefined {
  const clear = password?.reveal();
  if (clear === undefined || !isAscii(clear)) return undefined;
  return foresee(clear, randomBytes(16), DEFAULT_SCRAM_ITERATIONS);
}

/** Of a password that has just logged in: as the server has it stored. */
export function foreseeStored(password: Password, request: PasswordRequest | undefined): ForeseenVerifier | undefined {
  if (request?.method !== 'scram-sha-256') return undefined;
  return foresee(password.reveal(), request.salt, request.iterations);
}

export async function timed<Form extends string | undefined>(compute: () => Promise<Form>): Promise<Computed<Form>> {
  const started = performance.now();
  const verifier = await compute();
  return { verifier, computing: performance.now() - started };
}

function foresee(clear: string, salt: Buffer, iterations: number): ForeseenVerifier {
  const computed = timed(() => scramVerifier(saslPrep(clear), salt, iterations));
  // Whoever wants it hears of it.
  computed.catch(() => undefined);
  return { clear, iterations, computed };
}
