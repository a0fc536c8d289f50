/**
 * What a rotation costs, and how fast it is. `npm run bench -- --help` lists the benchmarks.
 *
 * Each is loaded only if it is asked for: `stdio` is a process that others time.
 */
import type { Options } from './bench/options.ts';

const USAGE = `npm run bench -- [rotation] | cold | scale | fleet | clients | stdio | plots  [options]

  rotation   API calls, logins, statements, bytes, CPU and time by step (the default)
  cold       from the start of a process to its first answers; --levers: and without each of the build's levers
  scale      the cost of a rotation as everything around it grows
  fleet      many secrets due at once, under the service's quotas; with what a large fleet costs a month
  clients    what applications see of a single user's rotation, at 40 logins a second and 3 s between setSecret and
             finishSecret: logins that are refused, with our client and with others
  stdio      serves our own function by lines, for others to measure:
             {"SecretId","ClientRequestToken","Step"} in, {"ok":true} or {"error":"…"} out
  plots      draws docs/plots/*.svg from docs/plots/results.json

  -n, --rotations N       blocks to measure: interleaved, one median over all (rotation, cold: 20; scale: 10;
                          fleet: 10, of the rotation that its calculation is based on)
      --strategy NAME     single-user or alternating-users; default: both
      --tls on|off|both   of the sessions with PostgreSQL
      --postgres URL      postgres://superuser:password@host:port; default: an embedded server
      --ca-file FILE      PEM: who signed that server's certificate
      --endpoint-url URL  another Secrets Manager than the lab's
      --against CMD       another implementation to measure in the same run: a shell command that does what stdio does,
                          with endpoint and credentials in its environment; {scheme} becomes single or multi
      --levers            cold: what each lever of the build is worth
      --secrets N         fleet: how many (1,000)
      --concurrency LIST  fleet: invocations of the function at one time (50,200,1000)
      --databases N       fleet: databases that the secrets are spread over (4)
      --quota PART        fleet: how much of the service's quotas to enforce (1); less shows the ceiling on a slow machine
      --price NAME=USD    fleet: a list price or another input of its calculation, which shows them all
      --packages FOLDER   clients: in whose node_modules other libraries are (.): @aws-lambda-powertools/parameters,
                          aws-advanced-nodejs-wrapper; one that is not there is left out
      --json              results as JSON on stdout
      --save              results into docs/plots/results.json as well

npm prints two lines of its own on stdout: where a program reads it (--json, stdio), write npm run -s bench -- …
`;

const [first = ''] = process.argv.slice(2);
if (first === 'stdio') {
  const { serveStdio, strategyIn } = await import('./bench/stdio.ts');
  const strategy = understood(() => strategyIn(process.argv.slice(3)));
  if (strategy !== undefined) await serveStdio(strategy);
} else {
  const { parseOptions } = await import('./bench/options.ts');
  const options = understood(() => parseOptions(process.argv.slice(2)));
  if (options === 'help') process.stdout.write(USAGE);
  else if (options !== undefined) await run(options);
}

/** What `read` makes of the command line; where it can't be understood, says so and leaves exit code 2. */
function understood<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\`npm run bench -- --help\` lists the options.`);
    process.exitCode = 2;
    return undefined;
  }
}

async function run(options: Options): Promise<void> {
  switch (options.command) {
    case 'plots':
      return (await import('./bench/plots.ts')).drawPlots();
    default: {
      const { report } = await import('./bench/report.ts');
      await report(options);
    }
  }
}
