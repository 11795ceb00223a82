"""What takes the place of a model's own rotary embeddings. Pure.

From 0.12 on these are one dictionary, `rope_parameters`. An override takes the place of all of it
after vLLM has completed it, so it has to be complete itself: what is not said stands in the
model's config.json, or has to be asked for. Read from `ModelConfig` and
`patch_rope_parameters` of vLLM 0.12.0 to 0.32.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...catalog import release
from ...findings import Fault, Findings, Remark
from .table import KEY, SCALING, TEXT, THETA

_POSITIONS = "max_position_embeddings"
_ORIGINAL = "original_max_position_embeddings"
_GLOBAL, _LOCAL = "full_attention", "sliding_attention"
_YARN = frozenset({"yarn", "deepseek_yarn"})
_RENAMED = {"su": "longrope", "mrope": "default"}
_TRAINED_SINCE = (0, 22)
_DEFAULT_THETA = 10000.0  # of every model that is older than the field
_PARTIAL = ("partial_rotary_factor", "rotary_pct", "rotary_emb_fraction")


@dataclass(frozen=True, slots=True)
class Overrides:
    """What goes into `--hf-overrides`, what is remarked of it, and what was found.

    `longest` is the length in tokens that the embeddings then reach, where vLLM takes a longer one
    for right.
    """

    fields: Mapping[str, Any]
    longest: int | None = None
    note: str = ""
    findings: Findings = field(default_factory=Findings)


@dataclass(frozen=True, slots=True)
class _Model:
    """What a config.json says of rotary embeddings; `nested`: in its part for texts."""

    known: bool
    nested: bool
    parameters: Mapping[str, Any]
    by_layer: Mapping[str, Mapping[str, Any]]
    positions: int | None


def overrides(
    said: Mapping[str, Any], given: Mapping[str, str], config: Mapping[str, Any], version: str
) -> Overrides:
    """The override that means what `said` does.

    Args:
        said: rope parameters, from the variables and the user's own HF_OVERRIDES.
        given: the variables among SCALING and THETA that are set, with their text.
        config: the model's config.json; empty where it is not at hand.
        version: vLLM's.
    """
    model = _model(config)
    made, from_model = _whole(said, model, scaled=SCALING in given)
    if missing := _missing(made, model):
        return Overrides({}, findings=_refused(missing, given, version))
    longest, found = None, Findings()
    if made["rope_type"] == "dynamic" and "factor" in made and _is_trained(version):
        made, longest, found = _dynamic(made, model, version)
    fields: dict[str, Any] = {KEY: _in_layers(made, model)}
    positions = longest or _scaled_positions(made)
    if positions is not None and positions > (model.positions or 0):
        fields[_POSITIONS] = positions
    note = f"{', '.join(from_model)} from the model's config.json" if from_model else ""
    if not model.known and SCALING not in given and "factor" not in said:
        found += _unseen(version)
    return Overrides({TEXT: fields} if model.nested else fields, longest, note, found)


def _model(config: Mapping[str, Any]) -> _Model:
    nested = isinstance(config.get(TEXT), dict)
    text = config[TEXT] if nested else config
    own = text.get(KEY) or text.get("rope_scaling") or {}
    own = own if isinstance(own, dict) else {}
    by_layer = own if own and all(isinstance(each, dict) for each in own.values()) else {}
    parameters = dict(by_layer.get(_GLOBAL, {}) if by_layer else own)
    theta = _first(text, ("rope_theta", "rotary_emb_base"))
    parameters.setdefault("rope_theta", _DEFAULT_THETA if theta is None else theta)
    if (partial := _first(text, _PARTIAL)) is not None:
        parameters.setdefault(_PARTIAL[0], partial)
    if _ORIGINAL in text:
        parameters.setdefault(_ORIGINAL, text[_ORIGINAL])
    local = text.get("rope_local_base_freq")  # Gemma 3, as it was written before the dictionary
    if local is not None and not by_layer:
        by_layer = {_GLOBAL: {}, _LOCAL: {"rope_type": "default", "rope_theta": local}}
    positions = text.get(_POSITIONS)
    known = bool(config)
    return _Model(
        known,
        nested,
        _renamed(parameters) if known else {},
        by_layer,
        positions if isinstance(positions, int) else None,
    )


def _first(text: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((text[key] for key in keys if text.get(key) is not None), None)


def _renamed(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """With today's key and names of types, which vLLM puts into a model's own alone."""
    kept = dict(parameters)
    if "type" in kept:
        kept.setdefault("rope_type", kept.pop("type"))
    kept.pop("type", None)
    if "rope_type" in kept:
        kept["rope_type"] = _RENAMED.get(str(kept["rope_type"]), kept["rope_type"])
    return kept


def _whole(
    said: Mapping[str, Any], model: _Model, *, scaled: bool
) -> tuple[dict[str, Any], list[str]]:
    """`said` completed, and the keys that the model's config.json gave.

    A scaling takes the place of the model's own, as it did with --rope-scaling; its theta does not.
    """
    wanted = {"rope_theta", _PARTIAL[0]} if scaled else set(model.parameters)
    made = {"rope_type": "default", **{k: v for k, v in model.parameters.items() if k in wanted}}
    made |= _renamed(said)
    if made["rope_type"] in {*_YARN, "longrope"} and _ORIGINAL not in made and model.known:
        original = model.parameters.get(_ORIGINAL, model.positions)
        made |= {} if original is None else {_ORIGINAL: original}
    if made["rope_type"] == "default":
        made.pop(_ORIGINAL, None)
    return made, [key for key in made if key not in said and key in {"rope_theta", _ORIGINAL}]


def _missing(made: Mapping[str, Any], model: _Model) -> str:
    if "rope_theta" not in made and not model.nested:
        return "rope_theta"
    return _ORIGINAL if made["rope_type"] in _YARN and _ORIGINAL not in made else ""


def _refused(missing: str, given: Mapping[str, str], version: str) -> Findings:
    name = SCALING if SCALING in given else THETA
    why = (
        f"{name} needs the model's {missing}: vLLM {version} replaces all that the model says of"
        " its rotary embeddings, and its config.json is not on this machine"
    )
    remedy = f"add {missing} to {SCALING}, as it is in the model's config.json"
    if missing == "rope_theta":
        remedy = f"set {THETA} to the rope_theta of the model's config.json"
    return Findings.of(Fault(name, given.get(name, ""), why, remedy))


def _unseen(version: str) -> Findings:
    message = (
        f"{THETA} replaces all that the model says of its rotary embeddings in vLLM {version}, and"
        " its config.json is not on this machine"
    )
    return Findings.of(Remark(THETA, message, f"if it has a rope_scaling, set {SCALING} to it"))


def _in_layers(made: Mapping[str, Any], model: _Model) -> Mapping[str, Any]:
    """For a model that has parameters for each kind of layer: those of global attention change."""
    if not model.by_layer:
        return made
    kinds = [_GLOBAL] if _GLOBAL in model.by_layer else list(model.by_layer)
    return {**model.by_layer, **dict.fromkeys(kinds, made)}


def _scaled_positions(made: Mapping[str, Any]) -> int | None:
    """The length that yarn makes of the model's; from 0.30 on vLLM does not multiply it itself."""
    original, factor = made.get(_ORIGINAL), made.get("factor")
    if made["rope_type"] not in _YARN:
        return None
    if not isinstance(original, int) or not isinstance(factor, int | float):
        return None
    return int(original * factor)


def _is_trained(version: str) -> bool:
    """Whether vLLM wants `max_trained_positions` for a dynamic scaling."""
    return release.number(version) >= _TRAINED_SINCE


def _dynamic(
    made: dict[str, Any], model: _Model, version: str
) -> tuple[dict[str, Any], int | None, Findings]:
    """A dynamic scaling, for whose length vLLM computes no embeddings unless it is told of both.

    It takes the positions for those after the scaling, and allows `factor` times as many.
    """
    trained = made.get("max_trained_positions", model.positions or made.get(_ORIGINAL))
    factor = made["factor"]
    if isinstance(trained, int) and isinstance(factor, int | float):
        return {**made, "max_trained_positions": trained}, int(trained * factor), Findings()
    message = (
        f"{SCALING} has no effect beyond the model's own length in vLLM {version}, whose"
        " config.json is not on this machine"
    )
    remedy = f"add original_max_position_embeddings to {SCALING}, as the model has been trained"
    return made, None, Findings.of(Remark(SCALING, message, remedy))
