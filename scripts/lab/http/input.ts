/** Reads the members of a request as a service's model constrains them. Nothing behind this sees an unknown type. */
import { ServiceError } from './service.ts';

export interface TextLimits {
  min?: number;
  max?: number;
  pattern?: RegExp;
}

export class Input {
  readonly #members: Readonly<Record<string, unknown>>;
  readonly #path: string;

  constructor(members: unknown, path = '') {
    if (!isRecord(members)) throw new ServiceError('SerializationException', 'Start of structure or map expected.');
    this.#members = members;
    this.#path = path;
  }

  has(name: string): boolean {
    return this.#members[name] !== undefined && this.#members[name] !== null;
  }

  text(name: string, limits: TextLimits = {}): string | undefined {
    if (!this.has(name)) return undefined;
    const value = this.#members[name];
    if (typeof value !== 'string') throw wrongType(value, 'String');
    this.#checkText(name, value, limits);
    return value;
  }

  requiredText(name: string, limits: TextLimits = {}): string {
    return this.text(name, limits) ?? this.#missing(name);
  }

  flag(name: string): boolean | undefined {
    if (!this.has(name)) return undefined;
    const value = this.#members[name];
    if (typeof value !== 'boolean') throw wrongType(value, 'Boolean');
    return value;
  }

  integer(name: string, range: { min?: number; max?: number } = {}): number | undefined {
    if (!this.has(name)) return undefined;
    const value = this.#members[name];
    if (typeof value !== 'number' || !Number.isInteger(value)) throw wrongType(value, 'Integer');
    if (value < (range.min ?? value)) this.#refuse(name, value, `have value greater than or equal to ${range.min}`);
    if (value > (range.max ?? value)) this.#refuse(name, value, `have value less than or equal to ${range.max}`);
    return value;
  }

  list(name: string, range: { min?: number; max?: number } = {}): unknown[] | undefined {
    if (!this.has(name)) return undefined;
    const value = this.#members[name];
    if (!Array.isArray(value)) throw wrongType(value, 'List');
    if (value.length < (range.min ?? 0)) this.#refuse(name, '[]', `have length greater than or equal to ${range.min}`);
    if (value.length > (range.max ?? value.length)) {
      this.#refuse(name, '[…]', `have length less than or equal to ${range.max}`);
    }
    return value;
  }

  texts(name: string, limits: TextLimits & { items?: { min?: number; max?: number } } = {}): string[] | undefined {
    return this.list(name, limits.items)?.map((value, index) => {
      if (typeof value !== 'string') throw wrongType(value, 'String');
      this.#checkText(`${name}.${index + 1}.member`, value, limits);
      return value;
    });
  }

  structures(name: string, range: { min?: number; max?: number } = {}): Input[] | undefined {
    return this.list(name, range)?.map((value, index) => new Input(value, `${this.#at(name)}.${index + 1}.member.`));
  }

  structure(name: string): Input | undefined {
    return this.has(name) ? new Input(this.#members[name], `${this.#at(name)}.`) : undefined;
  }

  /** @throws ValidationException where a list that the model requires is missing. */
  required(name: string): void {
    if (!this.has(name)) this.#missing(name);
  }

  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    return (
      choices.find((choice) => choice === value) ??
      this.#refuse(name, value, `satisfy enum value set: [${choices.join(', ')}]`)
    );
  }

  #checkText(name: string, value: string, { min = 0, max = Number.POSITIVE_INFINITY, pattern }: TextLimits): void {
    if (value.length < min) this.#refuse(name, value, `have length greater than or equal to ${min}`);
    if (value.length > max) this.#refuse(name, value, `have length less than or equal to ${max}`);
    if (pattern && !pattern.test(value))
      this.#refuse(name, value, `satisfy regular expression pattern: ${pattern.source}`);
  }

  #missing(name: string): never {
    throw validation(
      `1 validation error detected: Value null at '${this.#at(name)}' failed to satisfy constraint: Member must not be null`,
    );
  }

  #refuse(name: string, value: string | number, needed: string): never {
    const shown = SENSITIVE.has(name) ? '' : ` '${String(value).slice(0, 256)}'`;
    throw validation(
      `1 validation error detected: Value${shown} at '${this.#at(name)}' failed to satisfy constraint: Member must ${needed}`,
    );
  }

  #at(name: string): string {
    return this.#path + name.charAt(0).toLowerCase() + name.slice(1);
  }
}

const SENSITIVE: ReadonlySet<string> = new Set(['SecretString', 'SecretBinary', 'RotationToken']);

export const validation = (message: string) => new ServiceError('ValidationException', message);

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function wrongType(value: unknown, needed: string): ServiceError {
  const found = value === null ? 'NULL_VALUE' : `${Array.isArray(value) ? 'LIST' : typeof value}`.toUpperCase();
  return new ServiceError('SerializationException', `${found} can not be converted to ${needed}.`);
}
