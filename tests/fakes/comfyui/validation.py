"""What ComfyUI answers to a graph that it will not execute, in its own words and order; written after its behaviour.

Nothing of undercard is used here: the validation that is tested is compared with this one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
"""A value of the API; what is in it is what is tested."""
CONVERTERS: dict[str, Callable[[Any], Any]] = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}


def validated(prompt: Json, info: Json, has_upload: Callable[[str], bool]) -> tuple[Json | None, list[str], Json]:
    """Return the error that keeps *prompt* from running, or None; the outputs that are made; and the node errors."""
    outputs = []
    for name, node in prompt.items():
        if "class_type" not in node:
            what = "Cannot execute because a node is missing the class_type property."
            return _error("invalid_prompt", what, f"Node ID '#{name}'"), [], {}
        if node["class_type"] not in info:
            what = f"Node '{node['class_type']}' not found. The custom node may not be installed."
            return _error("missing_node_type", what, f"Node ID '#{name}'"), [], {}
        if info[node["class_type"]]["output_node"]:
            outputs.append(name)
    if not outputs:
        return _error("prompt_no_outputs", "Prompt has no outputs", ""), [], {}
    known: dict[str, list[Json]] = {}
    bad = [name for name in outputs if not _is_good(name, prompt, info, has_upload, known)]
    errors = {
        name: {"errors": found, "dependent_outputs": bad, "class_type": prompt[name]["class_type"]}
        for name, found in known.items()
        if found
    }
    good = [name for name in outputs if name not in bad]
    if good:
        return None, good, errors
    return _error("prompt_outputs_failed_validation", "Prompt outputs failed validation", ""), [], errors


def _error(kind: str, message: str, details: str) -> Json:
    return {"type": kind, "message": message, "details": details, "extra_info": {}}


def _is_good(
    name: str, prompt: Json, info: Json, has_upload: Callable[[str], bool], known: dict[str, list[Json]]
) -> bool:
    """Note the errors of node *name* and of those before it in *known*; say whether there are none."""
    if name in known:
        return not known[name]
    known[name] = errors = []
    node = prompt[name]
    schema = info[node["class_type"]]["input"]
    good = True
    for category in ("required", "optional"):
        for key, told in schema.get(category, {}).items():
            if key not in node["inputs"]:
                if category == "required":
                    errors.append(_at("required_input_missing", "Required input is missing", key, key))
                continue
            value = node["inputs"][key]
            if not isinstance(value, list):
                errors.extend(_value_errors(node, key, told, has_upload))
                continue
            source, slot = value
            given = info[prompt[source]["class_type"]]["output"][slot]
            if given != told[0] and "*" not in (given, told[0]):
                details = f"{key}, received_type({given}) mismatch input_type({told[0]})"
                errors.append(_at("return_type_mismatch", "Return type mismatch between linked nodes", details, key))
                continue
            good = _is_good(source, prompt, info, has_upload, known) and good
    return good and not errors


def _value_errors(node: Json, key: str, told: list[Any], has_upload: Callable[[str], bool]) -> list[Json]:
    kind, options = told[0], told[1] if len(told) > 1 else {}
    value = node["inputs"][key]
    if isinstance(kind, str) and kind in CONVERTERS:
        try:
            value = node["inputs"][key] = CONVERTERS[kind](value)
        except (TypeError, ValueError) as exc:
            what = f"Failed to convert an input value to a {kind} value"
            return [_at("invalid_input_type", what, f"{key}, {value}, {exc}", key)]
    if "min" in options and value < options["min"]:
        return [_at("value_smaller_than_min", f"Value {value} smaller than min of {options['min']}", key, key)]
    if "max" in options and value > options["max"]:
        return [_at("value_bigger_than_max", f"Value {value} bigger than max of {options['max']}", key, key)]
    if options.get("image_upload"):
        if has_upload(value):
            return []
        details = f"{key} - Invalid image file: {value}"
        return [_at("custom_validation_failed", "Custom validation failed for node", details, key)]
    choices = kind if isinstance(kind, list) else options.get("options", []) if kind == "COMBO" else None
    if choices is not None and value not in choices:
        listed = f"(list of length {len(choices)})" if len(choices) > 20 else str(choices)
        return [_at("value_not_in_list", "Value not in list", f"{key}: '{value}' not in {listed}", key)]
    return []


def _at(kind: str, message: str, details: str, key: str) -> Json:
    return {"type": kind, "message": message, "details": details, "extra_info": {"input_name": key}}
