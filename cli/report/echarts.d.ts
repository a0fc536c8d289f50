/**
 * Of Apache ECharts what the report's plots use. Its own types are not found by a compiler that asks for extensions
 * (`moduleResolution` nodenext), as its .d.ts files name each other without.
 */
declare module 'echarts/core' {
  /** Registers charts, components and renderers: only these are bundled. */
  export function use(parts: readonly object[]): void;
  export function init(
    element: null,
    theme: null,
    options: { readonly renderer: 'svg'; readonly ssr: true; readonly width: number; readonly height: number },
  ): {
    setOption(option: object): void;
    renderToSVGString(): string;
    dispose(): void;
  };
}
declare module 'echarts/charts' {
  export const BarChart: object;
}
declare module 'echarts/components' {
  export const GridSimpleComponent: object;
  export const LegendPlainComponent: object;
  export const MarkLineComponent: object;
}
declare module 'echarts/renderers' {
  export const SVGRenderer: object;
}
