"""Reads a SAM template as plain data, short forms (!Ref, !Sub, ...) spelt out, so that it can be changed and sent as JSON."""

import yaml

import dialogue


class _Loader(yaml.SafeLoader):
    """Safe YAML plus CloudFormation's short forms."""


def _short_form(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix in ("Ref", "Condition"):
        return {suffix: value}
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


def load(path):
    """The template at `path`, as CloudFormation would read it in JSON."""
    with open(path, encoding="utf-8") as text:
        try:
            return yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)
        except yaml.YAMLError as error:
            raise dialogue.Failed(f"{path} cannot be read: {error}", "see the line it names") from error


def of_type(template, resource_type):
    """The (logical id, properties) of every resource of a type."""
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] == resource_type:
            yield logical_id, resource.get("Properties", {})
