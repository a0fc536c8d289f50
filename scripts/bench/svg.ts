/** Charts as SVG text; pure. Colours keep apart in grey and for the colour-blind (Okabe and Ito's palette). */
const COLOURS = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00'];
const TEXT = '#333';
const GRID = '#ddd';
const FONT = 'font-family="system-ui, sans-serif"';

export interface Bar {
  readonly label: string;
  /** By part, stacked from the left. */
  readonly parts: readonly number[];
  /** At its end; default: the sum. */
  readonly note?: string;
}

export interface BarChart {
  readonly title: string;
  readonly unit: string;
  /** Names of the parts; none where there is but one. */
  readonly legend?: readonly string[];
  readonly bars: readonly Bar[];
}

export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface LineChart {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly lines: readonly Line[];
}

const WIDTH = 900;

/** Horizontal bars. */
export function barChart({ title, unit, legend = [], bars }: BarChart): string {
  const [left, right, top, step] = [340, 160, legend.length > 0 ? 72 : 48, 30];
  const bottom = top + bars.length * step;
  const total = (bar: Bar) => bar.parts.reduce((sum, part) => sum + part, 0);
  const scale = axis(Math.max(...bars.map(total)));
  const x = (value: number) => left + (value / scale.end) * (WIDTH - left - right);

  const rows = bars.map((bar, row) => {
    const y = top + row * step;
    let from = 0;
    const parts = bar.parts.map((part, index) => {
      const start = x(from);
      from += part;
      return `<rect x="${fix(start)}" y="${y + 5}" width="${fix(x(from) - start)}" height="${step - 10}" fill="${colour(index)}"/>`;
    });
    return [
      text(left - 8, y + step / 2 + 4, bar.label, 'end'),
      ...parts,
      text(x(from) + 6, y + step / 2 + 4, bar.note ?? short(total(bar)), 'start'),
    ].join('');
  });
  return document(title, bottom + 46, [
    legendRow(legend, left),
    ...scale.ticks.map((tick) => line(x(tick), top, x(tick), bottom, GRID) + text(x(tick), bottom + 16, short(tick))),
    ...rows,
    text(left + (WIDTH - left - right) / 2, bottom + 36, unit),
  ]);
}

export function lineChart({ title, x: xName, y: yName, lines }: LineChart): string {
  const [left, right, top, bottom] = [70, 30, 72, 360];
  const points = lines.flatMap((each) => each.points);
  const across = axis(Math.max(...points.map(([x]) => x)));
  const up = axis(Math.max(...points.map(([, y]) => y)));
  const x = (value: number) => left + (value / across.end) * (WIDTH - left - right);
  const y = (value: number) => bottom - (value / up.end) * (bottom - top);
  const paths = lines.map(({ points: own }, index) => {
    const path = own.map(([px, py]) => `${fix(x(px))},${fix(y(py))}`).join(' ');
    return `<polyline points="${path}" fill="none" stroke="${colour(index)}" stroke-width="2"/>`;
  });
  return document(title, bottom + 56, [
    legendRow(
      lines.map(({ name }) => name),
      left,
    ),
    ...up.ticks.map(
      (tick) => line(left, y(tick), WIDTH - right, y(tick), GRID) + text(left - 8, y(tick) + 4, short(tick), 'end'),
    ),
    ...across.ticks.map(
      (tick) => line(x(tick), bottom, x(tick), bottom + 4, TEXT) + text(x(tick), bottom + 18, short(tick)),
    ),
    ...paths,
    text((left + WIDTH - right) / 2, bottom + 40, xName),
    `<text transform="translate(18 ${(top + bottom) / 2}) rotate(-90)" text-anchor="middle" font-size="13" fill="${TEXT}">${escaped(yName)}</text>`,
  ]);
}

/** From 0 to a round end, with four to ten ticks. */
export function axis(max: number): { readonly end: number; readonly ticks: readonly number[] } {
  const size = 10 ** Math.floor(Math.log10(max > 0 ? max : 1));
  const step = [0.1, 0.2, 0.5, 1, 2].map((each) => each * size).find((each) => max / each <= 8) ?? size;
  const count = Math.max(1, Math.ceil(max / step));
  return {
    end: count * step,
    ticks: Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(6))),
  };
}

function document(title: string, height: number, parts: readonly string[]): string {
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" ${FONT}>`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="16" y="28" font-size="17" font-weight="600" fill="${TEXT}">${escaped(title)}</text>`,
    ...parts.filter((part) => part !== ''),
    '</svg>',
  ].join('\n')}\n`;
}

function legendRow(names: readonly string[], from: number): string {
  let x = from;
  return names
    .map((name, index) => {
      const entry = `<rect x="${x}" y="44" width="12" height="12" fill="${colour(index)}"/>${text(x + 18, 54, name, 'start')}`;
      x += 40 + name.length * 7;
      return entry;
    })
    .join('');
}

function line(x1: number, y1: number, x2: number, y2: number, stroke: string): string {
  return `<line x1="${fix(x1)}" y1="${fix(y1)}" x2="${fix(x2)}" y2="${fix(y2)}" stroke="${stroke}"/>`;
}

function text(x: number, y: number, content: string, anchor: 'start' | 'middle' | 'end' = 'middle'): string {
  return `<text x="${fix(x)}" y="${fix(y)}" text-anchor="${anchor}" font-size="13" fill="${TEXT}">${escaped(content)}</text>`;
}

const colour = (index: number) => COLOURS[index % COLOURS.length];
const fix = (value: number) => Number(value.toFixed(1));
const short = (value: number) => Number(value.toPrecision(3)).toLocaleString('en-US');

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
