import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { arrange } from '../../support/arrangement.ts';
import { ApplicationProcess } from '../../support/installed-client.ts';
import { roleScope, sharedServer } from '../../support/postgres.ts';
import { ridesThroughRotations } from '../../support/rides-through.ts';
import { TestAccount } from '../../support/test-account.ts';
import type { SecretMembers, TestSecret } from '../../support/test-secret.ts';
import { toolIsHere } from '../../support/tools.ts';
import { twins } from '../../support/twins.ts';

const EXAMPLE = fileURLToPath(new URL('../../../examples/applications/Hikari.java', import.meta.url));
/** Where Debian puts libhikaricp-java, libpostgresql-jdbc-java and libslf4j-java. */
const JARS =
  process.env.JAVA_CLASSPATH ??
  ['HikariCP', 'postgresql', 'slf4j-api', 'slf4j-nop'].map((name) => `/usr/share/java/${name}.jar`).join(':');
const javaIsHere = toolIsHere(
  'Java with HikariCP and pgjdbc',
  ['sh', '-c', `javac -version && javap -cp ${JARS} com.zaxxer.hikari.HikariDataSource org.postgresql.Driver`],
  'REQUIRE_JAVA',
);
const run = promisify(execFile);

/** Answers a number with the users that so many statements at one time have run as; given an argument, tells of one login. */
const DRIVER = `
import java.io.*;
import java.net.URI;
import java.net.http.*;
import java.util.*;
import java.util.stream.*;
public final class Driver {
  public static void main(String[] args) throws Exception {
    HttpClient client = HttpClient.newHttpClient();
    Hikari.Versions versions = label -> {
      try {
        URI uri = URI.create(System.getenv("VERSIONS_URL") + label);
        HttpResponse<String> answer =
            client.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() == 404) return Optional.empty();
        Map<String, String> members = new HashMap<>();
        answer.body().lines().forEach(line -> members.put(line.split("=", 2)[0], line.split("=", 2)[1]));
        return Optional.of(members);
      } catch (IOException | InterruptedException error) {
        throw new IllegalStateException(error);
      }
    };
    if (args.length > 0) {
      try (var connection = new Hikari.RotatingDataSource(versions).getConnection()) {
        System.out.println(connection.getCatalog());
      } catch (java.sql.SQLException error) {
        System.out.println(error.getSQLState());
      }
      return;
    }
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
    try (var pool = Hikari.pool(versions)) {
      for (String line = input.readLine(); line != null; line = input.readLine()) {
        System.out.println(IntStream.range(0, Integer.parseInt(line)).parallel().mapToObj(i -> {
          try {
            return Hikari.currentUser(pool);
          } catch (java.sql.SQLException error) {
            throw new IllegalStateException(error);
          }
        }).distinct().collect(Collectors.joining(",")));
        pool.getHikariPoolMXBean().softEvictConnections();
      }
    }
  }
}
`;

let account: TestAccount;
let folder: string;
beforeAll(async () => {
  account = await TestAccount.open();
  folder = await mkdtemp(join(tmpdir(), 'java-'));
  if (!javaIsHere) return;
  await writeFile(join(folder, 'Driver.java'), DRIVER);
  await run('javac', ['-Xlint:all', '-Werror', '-cp', JARS, '-d', folder, EXAMPLE, join(folder, 'Driver.java')]);
}, 120_000);
afterAll(async () => {
  await account[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** The secret's versions by label, as lines: in the place of AWS's SDK for Java, which is in no Debian package. */
async function serve(secret: TestSecret): Promise<{ readonly url: string; readonly server: Server }> {
  const server = createServer(({ url = '/' }, response) => {
    secret.text({ label: url.slice(1) }).then(
      (text) => {
        const members: Record<string, unknown> = JSON.parse(text);
        response.end(
          Object.entries(members)
            .map(([key, value]) => `${key}=${value}\n`)
            .join(''),
        );
      },
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('A port was expected.');
  return { url: `http://127.0.0.1:${address.port}/`, server };
}

async function withApplication<T>(
  secret: TestSecret,
  args: readonly string[],
  work: (application: ApplicationProcess) => Promise<T>,
): Promise<T> {
  const { url, server } = await serve(secret);
  try {
    const all = ['-cp', `${folder}:${JARS}`, 'Driver', ...args];
    await using application = new ApplicationProcess('java', all, folder, { VERSIONS_URL: url });
    return await work(application);
  } finally {
    server.close();
  }
}

const ridesThrough = (secret: TestSecret, user: string) =>
  withApplication(secret, [], (application) => ridesThroughRotations(application, secret, user));

describe.skipIf(!javaIsHere)(
  'examples/applications/Hikari.java rides through rotations of',
  { timeout: 120_000 },
  () => {
    test('a single user', async () => {
      await using here = await arrange(account, await sharedServer(), { strategy: 'single-user' });
      await ridesThrough(here.secret, here.role.name);
    });

    test('alternating users', async () => {
      await using scope = roleScope(await sharedServer());
      const app = await twins(account, scope);
      await ridesThrough(app.secret, app.base.name);
    });
  },
);

describe.skipIf(!javaIsHere)('examples/applications/Hikari.java, while the server refuses AWSCURRENT,', () => {
  /** AWSPREVIOUS has the right password, and names no database. @returns the session's database, or why there is none. */
  async function sessionWhere(members: SecretMembers): Promise<string> {
    const options = { members: { dbname: undefined } };
    await using here = await arrange(account, await sharedServer(), { strategy: 'single-user' }, options);
    await here.secret.put({ password: 'anything', ...members });
    return await withApplication(here.secret, ['once'], (application) => application.ask(''));
  }

  test('has AWSPREVIOUS open a session where AWSCURRENT names no other database', async () => {
    expect(await sessionWhere({})).toBe('postgres');
  });

  test('opens none in a database that AWSCURRENT alone names', async () => {
    expect(await sessionWhere({ dbname: 'template1' })).toBe('28P01');
  });
});
