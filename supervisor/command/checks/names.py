"""Names that vLLM looks up in a registry: parsers, quantisation methods, load formats. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...catalog import Option
from ...records import dataclass
from ..arguments import Argument, Arguments
from ..values.remedies import GONE, one_of, remedy
from .refusal import Refusal


@dataclass(frozen=True, slots=True)
class _Registry:
    """How an option's value is looked up.

    `whole` says that what the parser shows is all there is in any version, `any_case` that a value
    is made lower case before, `paths` that an import path is taken too, `plugin` names the option
    that adds names, `when` the switch without which nobody looks.
    """

    whole: bool = False
    any_case: bool = False
    paths: bool = False
    plugin: str = ""
    when: str = ""


_REGISTRIES: Mapping[str, _Registry] = {
    "--tool-call-parser": _Registry(
        plugin="--tool-parser-plugin", when="--enable-auto-tool-choice"
    ),
    "--reasoning-parser": _Registry(plugin="--reasoning-parser-plugin"),
    "--tokenizer-mode": _Registry(any_case=True),
    "--quantization": _Registry(any_case=True),
    "--load-format": _Registry(any_case=True),
    "--config-format": _Registry(whole=True),
    "--kv-cache-dtype": _Registry(whole=True),
    "--distributed-executor-backend": _Registry(whole=True, paths=True),
    "--model-impl": _Registry(),  # whatever is unknown counts as vllm, without a word
}
_CONFIG = "--config"  # a file that may name a plugin


def check(option: Option, argument: Argument, options: Arguments) -> Iterator[Refusal]:
    """Refuse a name that is not registered, where nothing adds to those that are known."""
    registry = _REGISTRIES.get(option.flag)
    text = next(iter(argument.values), "")
    if registry is None or not text or option.choices or (option.none_ok and text == "None"):
        return
    if _is_registered(text, option.names, registry, options):
        return
    gone = any(each.is_of(text) for each in GONE.get(option.flag, ()) if each.everywhere)
    if option.names:
        looked_up = not registry.when or is_on(options, registry.when)
        certain = looked_up and (gone or option.registered or registry.whole)
        meant = remedy(option.flag, text, option.names)
        yield Refusal(text, one_of(option.names, meant=meant), meant, certain=certain)
    elif gone:
        reason = "is what this version no longer has"
        yield Refusal(text, reason, remedy(option.flag, text, ()))


def is_on(options: Arguments, switch: str) -> bool:
    """Whether a command line switches `switch` on."""
    argument = options.last(switch)
    return argument is not None and not argument.spelt.startswith(("--no-", "--disable-"))


def _is_registered(
    text: str, known: tuple[str, ...], registry: _Registry, options: Arguments
) -> bool:
    if registry.plugin and (options.last(registry.plugin) or options.last(_CONFIG)):
        return True
    if registry.paths and "." in text:
        return True
    return text in known or (registry.any_case and text.lower() in known)
