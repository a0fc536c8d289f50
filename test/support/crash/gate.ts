/** What is asked at a relay before it hands something on: a moment in a function's traffic. */
export interface Gate {
  /** @returns 'cut' where the connection must break here instead. */
  reach(label: string): Promise<'pass' | 'cut'>;
}

/** Something that can be asked where the rotation stands: the step is part of a point's name. */
type CurrentStep = () => string;

/** Names moments so that the same moment of another rotation has the same name: step, what happens, how often so far. */
class Namer {
  readonly #step: CurrentStep;
  readonly #seen = new Map<string, number>();

  constructor(step: CurrentStep) {
    this.#step = step;
  }

  name(label: string): string {
    const key = `${this.#step()}: ${label}`;
    const count = (this.#seen.get(key) ?? 0) + 1;
    this.#seen.set(key, count);
    return count === 1 ? key : `${key} (${count})`;
  }
}

/** Lets everything pass and notes it: the points at which a rotation can be crashed. */
export class Recorder implements Gate {
  readonly points: string[] = [];
  readonly #namer: Namer;

  constructor(step: CurrentStep) {
    this.#namer = new Namer(step);
  }

  reach(label: string): Promise<'pass'> {
    this.points.push(this.#namer.name(label));
    return Promise.resolve('pass');
  }
}

/** Lets everything pass but one point, once: there it does `harm`, which says whether the connection breaks besides. */
export class Trap implements Gate {
  readonly #point: string;
  readonly #harm: () => Promise<'pass' | 'cut'>;
  readonly #namer: Namer;
  #sprung = false;

  constructor(point: string, step: CurrentStep, harm: () => Promise<'pass' | 'cut'>) {
    this.#point = point;
    this.#harm = harm;
    this.#namer = new Namer(step);
  }

  get sprung(): boolean {
    return this.#sprung;
  }

  async reach(label: string): Promise<'pass' | 'cut'> {
    if (this.#sprung || this.#namer.name(label) !== this.#point) return 'pass';
    this.#sprung = true;
    return await this.#harm();
  }
}

export const OPEN: Gate = { reach: () => Promise.resolve('pass') };
