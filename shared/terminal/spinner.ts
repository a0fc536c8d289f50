import { styleText } from 'node:util';
import { characters, textWidth } from './table.ts';

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 80;
const CLEAR_LINE = '\r\u001B[K';
const HIDE_CURSOR = '\u001B[?25l';
const SHOW_CURSOR = '\u001B[?25h';

/** Such as process.stderr. */
type Terminal = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };

/** What is being waited for, turning on a terminal and nowhere else. */
export class Spinner {
  readonly #stream: Terminal;
  readonly #showCursor = () => void this.#stream.write(SHOW_CURSOR);
  #text: string | undefined;
  #frame = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(stream: Terminal) {
    this.#stream = stream;
  }

  /** @param text undefined: nothing is waited for any more. */
  show(text: string | undefined): void {
    this.#text = text;
    if (text === undefined) this.#stop();
    else if (this.#turns()) this.#start();
  }

  /** Has something else written, without the spinner in the way. */
  aside(write: () => void): void {
    const turning = this.#timer !== undefined;
    if (turning) this.#stop();
    write();
    if (turning) this.#start();
  }

  /** 0: the terminal does not know where its line ends. */
  get #columns(): number {
    return this.#stream.columns ?? 0;
  }

  #turns(): boolean {
    return this.#stream.isTTY === true && this.#columns > 0 && process.env.TERM !== 'dumb';
  }

  #start(): void {
    if (this.#timer === undefined) {
      this.#stream.write(HIDE_CURSOR);
      // Whatever ends the process: the terminal goes on without us.
      process.once('exit', this.#showCursor);
      this.#timer = setInterval(() => this.#draw(), FRAME_MS).unref();
    }
    this.#draw();
  }

  #stop(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    process.removeListener('exit', this.#showCursor);
    this.#stream.write(CLEAR_LINE + SHOW_CURSOR);
  }

  #draw(): void {
    const frame = FRAMES[this.#frame++ % FRAMES.length] ?? '';
    const sign = styleText('cyan', frame, { stream: this.#stream });
    this.#stream.write(`${CLEAR_LINE}${sign} ${cut(this.#text ?? '', this.#columns - 3)}`);
  }
}

/** A line that is broken by the terminal could not be taken back. */
function cut(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  let line = '';
  for (const character of characters(text)) {
    if (textWidth(line + character) >= width) break;
    line += character;
  }
  return `${line}…`;
}
