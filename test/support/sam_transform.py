"""Runs the SAM transform as CloudFormation does: {"template": path, "parameters": [{...}, ...]} on stdin, templates out.

The packaging step, which uploads the code and writes its S3 address into the template, is the only part left out.
"""

import json
import os
import sys

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")

from samtranslator.translator.transform import transform  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402


class NoManagedPolicies:
    """The template names no managed policy, so looking one up is a fault of the template."""

    def load(self):
        raise LookupError("a managed policy was looked up")


def packaged(path):
    with open(path, encoding="utf-8") as file:
        template = yaml_parse(file)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/" + resource["Properties"]["CodeUri"]
    return template


order = json.load(sys.stdin)
print(json.dumps([transform(packaged(order["template"]), values, NoManagedPolicies()) for values in order["parameters"]]))
