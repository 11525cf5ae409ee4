"""Prints what AWS makes of a SAM template: aws-sam-translator is the code of the
transform that CloudFormation runs. The code of the functions is anywhere in S3,
where sam package would have put it."""

import json
import sys

from samtranslator import __version__
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoPolicies:
    """The template names no managed policy by its name alone."""

    def load(self):
        return {}


with open(sys.argv[1], encoding="utf-8") as f:
    template = yaml_parse(f.read())
for resource in template["Resources"].values():
    if resource["Type"] == "AWS::Serverless::Function":
        resource["Properties"]["CodeUri"] = "s3://bucket/code"
template.get("Globals", {}).get("Function", {}).pop("CodeUri", None)
out = transform(template, {}, NoPolicies(), passthrough_metadata=True)
json.dump({"translator": __version__, "template": out}, sys.stdout, indent=1, sort_keys=True)
print()
