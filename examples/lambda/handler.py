"""The same in Python, with the connection class of ../applications/psycopg3.py beside it."""

import psycopg3


def handler(event, context):
    return {"user": psycopg3.current_user()}
