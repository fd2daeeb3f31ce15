"""Validates YAML files by a JSON Schema. Arguments: the schema, then files. Prints one line a file: `ok` or a reason.

YAML is read as editors read it, by the core schema of YAML 1.2, in which `on` and `off` are texts and dates are too;
PyYAML's own rules are those of YAML 1.1.
"""
import json
import re
import sys

import jsonschema
import yaml


class Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}

    def construct_mapping(self, node, deep=False):
        own = [key.value for key, _ in node.value if key.value != "<<"]
        if len(own) != len(set(map(str, own))):
            raise yaml.constructor.ConstructorError(None, None, "duplicate key", node.start_mark)
        return {str(key): value for key, value in super().construct_mapping(node, deep=deep).items()}


CORE = [
    ("bool", r"^(true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^([-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789"),
    ("float", r"^([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$", "-+.0123456789"),
    ("null", r"^(~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("merge", r"^<<$", "<"),
]
for name, pattern, first in CORE:
    Loader.add_implicit_resolver("tag:yaml.org,2002:" + name, re.compile(pattern), list(first))
Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(node.value, 0 if node.value[1:2] in "ox" and node.value[1:2] else 10))
Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: float(node.value))


def reason(validator, path):
    try:
        with open(path, encoding="utf-8") as file:
            document = yaml.load(file, Loader)
    except (yaml.YAMLError, TypeError) as error:
        return "not YAML: " + str(error).split("\n")[0]
    error = jsonschema.exceptions.best_match(validator.iter_errors(document))
    return "ok" if error is None else f"{error.json_path}: {error.message}"


schema = json.load(open(sys.argv[1], encoding="utf-8"))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for path in sys.argv[2:]:
    print(reason(validator, path).replace("\n", " "))
