/** What `npm run lab` prints once it is ready. No password is part of it: Secrets Manager hands them out. */
import { table } from '../../../shared/terminal/table.ts';
import { bold, dim } from '../../../shared/terminal/text.ts';
import type { Lab } from '../lab.ts';

/** For programs: everything that a client needs to begin with. */
export function readyLine(lab: Lab): string {
  const { endpoint, region, database, functions, seed, redshift } = lab;
  const { kind, host, port, version } = database;
  const superuser = { name: seed.superuser.secretName, arn: seed.superuser.secretArn };
  const secrets = seed.applications.map(({ secretName, secretArn, strategy }) => ({
    name: secretName,
    arn: secretArn,
    strategy,
  }));
  return JSON.stringify({
    pid: process.pid,
    endpoint,
    region,
    database: { kind, host, port, version, superuserSecret: superuser },
    ...(redshift === undefined ? {} : { redshift: { host: redshift.host, port: redshift.port } }),
    functions,
    secrets,
  });
}

export function guide(lab: Lab): string {
  const { endpoint, region, database, functions, seed, redshift, timeScale } = lab;
  const where = {
    embedded: 'embedded, gone at the end',
    container: 'in a container, gone at the end',
    url: 'left running',
  };
  const facts = table([
    [
      'Secrets Manager',
      `${endpoint} (${region}${timeScale === 1 ? '' : `, its time runs ${timeScale} times as fast`})`,
    ],
    [`PostgreSQL ${database.version}`, `${database.host}:${database.port} (${where[database.kind]})`],
    ...(redshift === undefined ? [] : [['Redshift, a stand-in', `${redshift.host}:${redshift.port}`]]),
    ['Single user', functions['single-user']],
    ['Alternating users', functions['alternating-users']],
  ]);
  const secrets = table([
    ...seed.applications.map(({ secretName, strategy, role, table: name, byIam }) => [
      secretName,
      strategy.replace('-', ' '),
      `logs in as ${role}, owns the table ${name}${byIam ? '; its administrator logs in by IAM' : ''}`,
    ]),
    [seed.superuser.secretName, '', `logs in as ${seed.superuser.username}`],
  ]);
  const sections = [
    [bold('PostgreSQL secret rotation lab'), '', ...indent(facts)],
    [bold('Secrets'), '', ...indent(secrets)],
    [bold('In another terminal'), '', ...indent(commands(lab))],
    [bold('Rotations are shown below. Ctrl-C ends the lab and removes everything.')],
  ];
  return `\n${sections.map((lines) => lines.join('\n')).join('\n\n')}\n\n`;
}

/** To paste into bash or zsh, which takes no comment with an apostrophe; it needs the AWS CLI, Node and psql. */
function commands({ endpoint, region, database, functions, awsFunction, seed, ssl }: Lab): string[] {
  const aws = 'aws secretsmanager';
  const [first, second = seed.superuser] = seed.applications;
  const get = `${aws} get-secret-value --secret-id ${second.secretName} --query SecretString --output text`;
  const sslmode = ssl ? ' PGSSLMODE=require' : '';
  return [
    `export AWS_ENDPOINT_URL=${endpoint} AWS_REGION=${region} AWS_DEFAULT_REGION=${region}`,
    'export AWS_ACCESS_KEY_ID=lab AWS_SECRET_ACCESS_KEY=lab AWS_PAGER= NO_PROXY=127.0.0.1 no_proxy=127.0.0.1',
    // What else a shell may have exported that leads elsewhere.
    'unset AWS_PROFILE AWS_ENDPOINT_URL_SECRETS_MANAGER PGHOSTADDR PGSERVICE PGOPTIONS PGSSLMODE',
    '',
    `${aws} list-secrets --query 'SecretList[].[Name,NextRotationDate]' --output text`,
    ...(first === undefined
      ? [
          `${aws} rotate-secret --secret-id NAME --rotation-rules AutomaticallyAfterDays=30 \\`,
          `  --rotation-lambda-arn ${functions['single-user']}`,
        ]
      : seed.applications.map(({ secretName }) => `${aws} rotate-secret --secret-id ${secretName}`)),
    ...(first === undefined
      ? []
      : [`${aws} describe-secret --secret-id ${first.secretName} --query VersionIdsToStages`]),
    get,
    ...(first === undefined
      ? []
      : [
          '',
          dim('# the command for operators'),
          `npm run rotation -- now ${first.secretName}`,
          `npm run rotation -- doctor ${second.secretName}`,
          '',
          dim('# a move from the function of AWS to these, as a rehearsal'),
          `${aws} rotate-secret --secret-id ${first.secretName} --no-rotate-immediately --rotation-lambda-arn ${awsFunction}`,
          `npm run rotation -- attach --all --from ${awsFunction.split(':').at(-1)} --stack postgres-rotation`,
        ]),
    '',
    dim(`# log in with what ${second.secretName} holds now`),
    `secret=$(${get})`,
    // By a pipe, since any user of a machine sees command lines.
    'field() { printf %s "$secret" | node -p "JSON.parse(fs.readFileSync(0)).$1"; }',
    'PGPASSWORD=$(field password) PGUSER=$(field username) \\',
    `  PGDATABASE=$(field dbname)${sslmode} psql -h ${database.host} -p ${database.port}`,
  ];
}

const indent = (lines: readonly string[]) => lines.map((line) => (line === '' ? '' : `  ${line}`));
