/** Messages of a PostgreSQL server, as made-up servers send them (manual, "Message Formats"). */

/** Kinds of authentication requests, of which the others have no name here. */
export const AUTHENTICATION = { ok: 0, clearText: 3, md5: 5, sasl: 10, saslContinue: 11 } as const;

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 0, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

function int32(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * numbers.length);
  for (const [index, number] of numbers.entries()) bytes.writeInt32BE(number, 4 * index);
  return bytes;
}

const text = (...parts: readonly string[]) => Buffer.from(parts.map((part) => `${part}\0`).join(''));

/** @param body what the kind needs besides: md5 a salt of 4 bytes, SASL its mechanisms or data. */
export function authenticationRequest(kind: number, body: Buffer | string = ''): Buffer {
  return message('R', Buffer.concat([int32(kind), Buffer.from(body)]));
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
  return message('Z', Buffer.from('I'));
}
