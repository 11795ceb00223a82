"""From where the engine fetches pictures, audio and video. Pure.

vLLM's own fence is a list of hosts, which its redirects leave. In queue mode the proxy has one, too
(`proxy.media`), and has to know what was said to the engine.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ...catalog import Catalog
from ...findings import Applied, Findings, Remark, not_passed_on
from ...records import dataclass
from ...settings import handed, parsers, table
from ...settings.mode import Mode
from ...settings.read import Settings
from ..arguments import Arguments

DOMAINS = "--allowed-media-domains"
FILES = "--allowed-local-media-path"
REDIRECTS = "VLLM_MEDIA_URL_ALLOW_REDIRECTS"


@dataclass(frozen=True, slots=True)
class Media:
    """What the proxy is told: the list of hosts, if there is one, and the folder of files."""

    domains: tuple[str, ...] = ()
    files: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """The same as variables of the proxy."""
        return {
            table.ALLOWED_MEDIA_DOMAINS.name: ",".join(self.domains),
            handed.LOCAL_MEDIA: self.files,
        }


def listed(settings: Settings, catalog: Catalog) -> tuple[tuple[str, ...], Findings]:
    """The option that ALLOWED_MEDIA_DOMAINS becomes, where this vLLM has it."""
    name, hosts = table.ALLOWED_MEDIA_DOMAINS.name, settings[table.ALLOWED_MEDIA_DOMAINS]
    if hosts is None:
        return (), Findings()
    if catalog.option(DOMAINS) is not None:
        return (DOMAINS, *hosts), Findings.of(Applied(name, ",".join(hosts), DOMAINS, "option"))
    if settings.mode is Mode.QUEUE:
        return (), Findings()  # the proxy judges by it
    if not catalog.complete:
        return (), Findings.of(not_passed_on(name))
    message = f"{name} has no effect: vLLM {catalog.version} has no such option"
    return (), Findings.of(Remark(name, message, "use a version that has it, or queue mode"))


def judged(settings: Settings, options: Arguments, configured: Collection[str]) -> Media:
    """What of the engine's command the proxy has to follow.

    Args:
        settings: the worker's.
        options: the whole command line.
        configured: the options that the engine's own file sets; of these the values are not known.
    """
    said = options.last(DOMAINS)
    own = settings[table.ALLOWED_MEDIA_DOMAINS]
    hosts = _hosts(said.values) if said else own or ()
    files = options.value(FILES) or ("/" if FILES.removeprefix("--") in configured else "")
    return Media(hosts, files)


def environment(
    given: Mapping[str, str],
    media: Media,
    options: Arguments,
    catalog: Catalog | None,
    configured: Collection[str],
) -> dict[str, str]:
    """What keeps redirects within a list of hosts, unless the user has said what is to happen."""
    has_list = media.domains or options.last(DOMAINS) or DOMAINS.removeprefix("--") in configured
    known = catalog is not None and REDIRECTS in catalog.environment
    return {REDIRECTS: "0"} if has_list and known and not given.get(REDIRECTS, "").strip() else {}


def _hosts(values: Collection[str]) -> tuple[str, ...]:
    """Those that can be hosts of an address; vLLM finds no address for the others either."""
    hosts: list[str] = []
    for value in values:
        try:
            hosts += parsers.domains(value)
        except ValueError:
            continue
    return tuple(hosts)
