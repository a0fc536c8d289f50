"""Python, psycopg 3 (https://www.psycopg.org): a connection class for psycopg_pool, SQLAlchemy's `creator`, or alone."""

import json
import os
import threading
import time

import boto3
import psycopg
from botocore.exceptions import ClientError
from psycopg_pool import ConnectionPool


class Secret:
    """The login that was accepted last, and where to find another: AWSCURRENT anew, AWSPENDING, AWSPREVIOUS."""

    def __init__(self, secret_id, fresh_seconds=300):
        self._id = secret_id
        self._client = boto3.client("secretsmanager")
        self._fresh = fresh_seconds
        self._lock = threading.Lock()
        self._known = None
        self._until = 0.0

    def logins(self):
        """Each with how long it need not be looked for again, in seconds, the likeliest first. Secrets Manager is asked
        for the next one only when the one before was refused."""
        known = self._known if time.time() < self._until else None
        if known is not None:
            yield known, None
        current = self._read("AWSCURRENT")
        if current != known:
            yield current, self._fresh
        for stage in ("AWSPENDING", "AWSPREVIOUS"):
            other = self._read(stage)
            if other is not None and other != current and _may_stand_in(other, current):
                # User and password of the other version; host, database and the rest of AWSCURRENT.
                yield {**current, "username": other["username"], "password": other["password"]}, 5

    def accepted(self, login, seconds):
        with self._lock:
            self._known, self._until = login, time.time() + seconds

    def _read(self, stage):
        try:
            answer = self._client.get_secret_value(SecretId=self._id, VersionStage=stage)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if stage != "AWSCURRENT" and code in ("ResourceNotFoundException", "AccessDeniedException"):
                return None
            raise
        return json.loads(answer["SecretString"])


def _may_stand_in(other, current):
    """Whoever may write the secret, but not read it, must not have another version's password sent to their server, nor
    have it open a session in their database."""
    a, b = other["username"], current["username"]
    same_user = a == b or a == b + "_clone" or b == a + "_clone"
    return same_user and _place(other) == _place(current)


def _place(login):
    """Where user and password are sent, as psycopg takes it."""
    port, dbname = (5439, "dev") if login.get("engine") == "redshift" else (5432, "postgres")
    return {
        "host": login["host"],
        "port": str(login.get("port") or port),
        "dbname": login.get("dbname") or dbname,
        # Outside of Lambda: sslrootcert, Amazon's bundle of RDS roots.
        "sslmode": "disable" if str(login.get("ssl")).lower() == "false" else "verify-full",
    }


secret = Secret(os.environ["SECRET_ID"])


class Connection(psycopg.Connection):
    @classmethod
    def connect(cls, conninfo="", **kwargs):
        refusal = None
        for login, seconds in secret.logins():
            try:
                connection = super().connect(
                    user=login["username"], password=login["password"], **_place(login), **kwargs
                )
            except psycopg.OperationalError as error:
                # libpq has no SQLSTATE of a login that failed, and so this goes by the server's words.
                if "password authentication failed" not in str(error):
                    raise
                refusal = error
                continue
            if seconds is not None:
                secret.accepted(login, seconds)
            return connection
        raise refusal


pool = ConnectionPool(connection_class=Connection, min_size=0, max_size=20, max_lifetime=3600)


def current_user():
    with pool.connection() as connection:
        return connection.execute("SELECT current_user").fetchone()[0]


def close():
    pool.close()
