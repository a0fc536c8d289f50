import { startPostgres } from '../../../scripts/lab/database/server.ts';

// Run by embedded-server.test.ts with what to do once the server runs, when it prints the server's data folder.
const server = await startPostgres({ source: 'embedded' });

switch (process.argv[2]) {
  case 'end':
    break; // without closing the server, which must not keep this process alive either
  case 'stay':
    setInterval(() => undefined, 60_000);
    break;
  case 'close when interrupted':
    setInterval(() => undefined, 60_000);
    process.once('SIGINT', async () => {
      await server.query('SELECT 1'); // Ctrl-C must not have reached the server
      await server.close();
      process.exit(0);
    });
}

const [row] = await server.query<{ data: string }>(`SELECT current_setting('data_directory') AS data`);
process.stdout.write(`${row?.data}\n`);
