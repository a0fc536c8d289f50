import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts CPU time in hundredths of a second (USER_HZ, proc(5)). */
const MS_PER_TICK = 10;

/** CPU time of all processes of a group and of the children that they have waited for, in ms; NaN where there is no /proc. */
export function cpuOfGroup(group: number): number {
  let processes: string[];
  try {
    processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return Number.NaN;
  }
  let ticks = 0;
  for (const id of processes) {
    const stat = statOf(id);
    if (stat?.group === group) ticks += stat.ticks;
  }
  return ticks * MS_PER_TICK;
}

function statOf(id: string): { group: number; ticks: number } | undefined {
  try {
    return parseStat(readFileSync(`/proc/${id}/stat`, 'utf8'));
  } catch {
    return undefined; // it has ended meanwhile
  }
}

/** A line of /proc/<id>/stat (proc(5)); the command's name, in parentheses, may hold anything. */
export function parseStat(line: string): { group: number; ticks: number } {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const [, , group, , , , , , , , , user, system, childrenUser, childrenSystem] = fields.map(Number);
  return {
    group: group ?? 0,
    ticks: (user ?? 0) + (system ?? 0) + (childrenUser ?? 0) + (childrenSystem ?? 0),
  };
}
