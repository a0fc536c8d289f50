/** Code that logs in by a secret, in the languages that applications are written in; pure. */
import description from '../../package.json' with { type: 'json' };

export interface SampleSecret {
  /** Letters, digits and /_+=.@- only, as the service has it: it needs no quoting inside of quotes. */
  readonly name: string;
  readonly region: string;
}

const node = ({
  name,
  region,
}: SampleSecret) => `// npm install ./postgres-secret-rotation-${description.version}.tgz pg @aws-sdk/client-secrets-manager (the first is a file of the release)
import { rotatingPool, secretLogin } from 'postgres-secret-rotation/client';

// Of RDS, outside of Lambda: caFile, with https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem
const login = secretLogin({ secretId: '${name}', region: '${region}' });
export const pool = rotatingPool(login, { max: 10, connectionTimeoutMillis: 10_000 });
pool.on('error', (error) => console.error(error.message));

const { rows } = await pool.query('SELECT current_user');
console.log(rows[0].current_user);
await pool.end();
`;

const python = ({ name, region }: SampleSecret) => `# pip install boto3 "psycopg[binary,pool]"
# Reads the secret at each login, so it sees a rotation once that is done. With a single user, logins are refused
# between setSecret and finishSecret.
import json

import boto3
import psycopg
from psycopg_pool import ConnectionPool

SECRETS = boto3.client("secretsmanager", region_name="${region}")


class SecretConnection(psycopg.Connection):
    @classmethod
    def connect(cls, conninfo="", **kwargs):
        secret = json.loads(SECRETS.get_secret_value(SecretId="${name}")["SecretString"])
        port, dbname = (5439, "dev") if secret.get("engine") == "redshift" else (5432, "postgres")
        return super().connect(
            conninfo,
            host=secret["host"],
            port=secret.get("port") or port,
            dbname=secret.get("dbname") or dbname,
            user=secret["username"],
            password=secret["password"],
            sslmode="disable" if str(secret.get("ssl")).lower() == "false" else "verify-full",
            sslrootcert="system",  # of RDS: the file global-bundle.pem
            **kwargs,
        )


if __name__ == "__main__":
    with ConnectionPool(connection_class=SecretConnection, min_size=1, open=True) as pool:
        with pool.connection() as connection:
            print(connection.execute("SELECT current_user").fetchone()[0])
`;

const java = ({
  name,
  region,
}: SampleSecret) => `// com.amazonaws.secretsmanager:aws-secretsmanager-jdbc, org.postgresql:postgresql
// The driver takes host, port and database from the secret, and reads it anew after a refused login. With a single user,
// logins are refused between setSecret and finishSecret. Region: AWS_REGION=${region}, or drivers.region in
// secretsmanager.properties.
import java.sql.Connection;
import java.sql.DriverManager;
import java.util.Properties;

public class Login {
  public static void main(String[] args) throws Exception {
    Class.forName("com.amazonaws.secretsmanager.sql.AWSSecretsManagerPostgreSQLDriver");
    Properties properties = new Properties();
    properties.put("user", "${name}");
    properties.put("sslmode", "verify-full"); // where the secret has "ssl": false, "disable"
    String authorities = System.getenv("PGSSLROOTCERT"); // of RDS: global-bundle.pem
    if (authorities != null) properties.put("sslrootcert", authorities);
    try (Connection connection = DriverManager.getConnection("${name}", properties);
        var rows = connection.createStatement().executeQuery("SELECT current_user")) {
      rows.next();
      System.out.println(rows.getString(1));
    }
  }
}
`;

const go = ({
  name,
  region,
}: SampleSecret) => `// go get github.com/jackc/pgx/v5 github.com/aws/aws-sdk-go-v2/config github.com/aws/aws-sdk-go-v2/service/secretsmanager
// Reads the secret at each login, so it sees a rotation once that is done. With a single user, logins are refused
// between setSecret and finishSecret. The pool's own host, port, database and TLS are taken from the secret when it is
// made: once the secret names others, it logs in no more, and the program is to be started anew.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

type login struct {
	Engine, Host, Dbname, Username, Password string
	Port                                     json.Number
	SSL                                      any
}

func read(ctx context.Context, client *secretsmanager.Client) (login, error) {
	var found login
	answer, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("${name}")})
	if err != nil {
		return found, err
	}
	err = json.Unmarshal([]byte(aws.ToString(answer.SecretString)), &found)
	return found, err
}

// Where user and password are sent, and how.
type place struct{ host, port, database, tls string }

func (secret login) place() place {
	port, database := "5432", "postgres"
	if secret.Engine == "redshift" {
		port, database = "5439", "dev"
	}
	// Of RDS: sslrootcert=global-bundle.pem
	tls := "sslmode=verify-full sslrootcert=system"
	if strings.EqualFold(fmt.Sprint(secret.SSL), "false") {
		tls = "sslmode=disable"
	}
	return place{secret.Host, cmp.Or(secret.Port.String(), port), cmp.Or(secret.Dbname, database), tls}
}

func main() {
	ctx := context.Background()
	settings, err := config.LoadDefaultConfig(ctx, config.WithRegion("${region}"))
	if err != nil {
		log.Fatal(err)
	}
	client := secretsmanager.NewFromConfig(settings)
	first, err := read(ctx, client)
	if err != nil {
		log.Fatal(err)
	}
	server := first.place()
	pool, err := pgxpool.ParseConfig(fmt.Sprintf("host=%s port=%s %s", server.host, server.port, server.tls))
	if err != nil {
		log.Fatal(err)
	}
	pool.ConnConfig.Database = server.database
	pool.BeforeConnect = func(ctx context.Context, connection *pgx.ConnConfig) error {
		now, err := read(ctx, client)
		if err != nil {
			return err
		}
		// This password is for there, and not for where the pool connects.
		if now.place() != server {
			return errors.New("the secret names another server or database than when this program began")
		}
		connection.User, connection.Password = now.Username, now.Password
		return nil
	}
	connections, err := pgxpool.NewWithConfig(ctx, pool)
	if err != nil {
		log.Fatal(err)
	}
	defer connections.Close()
	var user string
	if err := connections.QueryRow(ctx, "SELECT current_user").Scan(&user); err != nil {
		log.Fatal(err)
	}
	fmt.Println(user)
}
`;

const env = ({
  name,
  region,
}: SampleSecret) => `# PG* variables for one program, read when it starts: it does not see a rotation that comes later.
rotation run '${name}' --region '${region}' -- your-program
`;

export const SAMPLES = { node, python, java, go, env } satisfies Readonly<
  Record<string, (secret: SampleSecret) => string>
>;

export type Language = keyof typeof SAMPLES;
