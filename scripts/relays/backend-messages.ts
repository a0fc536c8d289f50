/** Messages of a PostgreSQL server, as made-up servers send them (manual, "Message Formats"). */

/** Kinds of authentication requests, of which the others have no name here. */
export const AUTHENTICATION = { ok: 0, clearText: 3, md5: 5, sasl: 10, saslContinue: 11 } as const;

/** A message of any type, its length counted. */
export function message(type: string, ...parts: readonly (Buffer | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
}

export function int32(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * numbers.length);
  for (const [index, number] of numbers.entries()) bytes.writeInt32BE(number, 4 * index);
  return bytes;
}

const text = (...parts: readonly string[]) => Buffer.from(parts.map((part) => `${part}\0`).join(''));

/** @param body what the kind needs besides: md5 a salt of 4 bytes, SASL its mechanisms or data. */
export function authenticationRequest(kind: number, body: Buffer | string = ''): Buffer {
  return message('R', int32(kind), body);
}

export function saslMechanisms(...names: readonly string[]): Buffer {
  return authenticationRequest(AUTHENTICATION.sasl, text(...names, ''));
}

export interface Refusal {
  readonly state: string;
  readonly message: string;
  /** The function of the server's source; poolers name none. */
  readonly routine?: string;
}

export function fatal({ state, message: words, routine }: Refusal): Buffer {
  const fields = ['SFATAL', 'VFATAL', `C${state}`, `M${words}`, ...(routine === undefined ? [] : [`R${routine}`])];
  return message('E', text(...fields, ''));
}

export function parameterStatus(name: string, value: string): Buffer {
  return message('S', text(name, value));
}

export function backendKeyData(processId: number, key: number): Buffer {
  return message('K', int32(processId, key));
}

/** Idle, outside a transaction. */
export function readyForQuery(): Buffer {
  return message('Z', 'I');
}
