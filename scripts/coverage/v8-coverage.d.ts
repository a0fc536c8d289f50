/** The package brings no types; these are of what is used. */
declare module '@bcoe/v8-coverage' {
  import type { Profiler } from 'node:inspector';

  export interface ProcessCov {
    result: Profiler.ScriptCoverage[];
  }

  export function mergeProcessCovs(processes: readonly ProcessCov[]): ProcessCov;
}
