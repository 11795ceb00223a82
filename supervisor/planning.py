"""Makes a plan of what is on this machine: the model on its disk, and the engine's catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from . import hanging
from .catalog import Catalog, options, store
from .command import command_line, plan, spelling
from .command.checks import paths
from .command.checks.paths import Place
from .command.legacy import without_none
from .command.plan import Plan
from .decoding import read_text, unlike_text
from .errors import SupervisorError
from .files import exists, fault
from .findings import Fault, Findings, Remark
from .models.disk import look
from .models.placement import OnDisk
from .models.unseen import words
from .records import replace
from .settings import otel, quotes, read, table
from .settings.read import Settings

Unfit = tuple[Place, str]  # and why it is


def settings(env: Mapping[str, str]) -> Settings:
    """The worker's own settings in `env`; wrong ones count as unset.

    What VLLM_EXTRA_ARGS says of the engine's address is followed by the plan alone.
    """
    return read.read(quotes.take_off(env, table.WORKER_VARIABLES)[0])[0]


def asked_ahead(env: Mapping[str, str]) -> store.Asking | None:
    """Ask the engine for its version now, for `by_engine`; None where that will not be needed."""
    own = settings(env)
    if own[table.ENGINE_CATALOG]:
        return None
    try:
        return store.Asking(own[table.VLLM_COMMAND], env)
    except SupervisorError:  # it will be met again, and told
        return None


def by_engine(
    env: Mapping[str, str],
    announce: Callable[[str], None],
    arguments: Sequence[str] = (),
    *,
    or_else: str = "",
    asking: store.Asking | None = None,
) -> Plan:
    """The plan for `env`, by the options of the installed engine.

    Where the engine cannot be asked, it is made by the options that every known version has, and
    its first warning says so.

    Args:
        env: the worker's environment.
        announce: is told before the engine is asked for its options, which takes long.
        arguments: what is written for the engine on the worker's own command line.
        or_else: what else the caller offers to the user where it cannot be asked.
        asking: what `asked_ahead` has begun.
    """
    own = settings(env)
    try:
        catalog = store.with_elsewhere(_catalog(own, env, announce, asking))
        return _made(env, catalog, arguments, own=own)
    except SupervisorError as reason:
        made = _made(env, store.common(), arguments)
        message = f"{reason}\nOnly options that every known vLLM has are taken from variables"
        remedy = "set the others in VLLM_EXTRA_ARGS or VLLM_CONFIG_FILE"
        remedy += f", or {or_else}" if or_else else ""
        at_fault = table.ENGINE_CATALOG if own[table.ENGINE_CATALOG] else table.VLLM_COMMAND
        first = Findings.of(Remark(at_fault.name, message, remedy))
        return replace(made, findings=first + made.findings)


def by_catalog(
    env: Mapping[str, str], catalog: Catalog, arguments: Sequence[str] = (), *, here: bool = False
) -> Plan:
    """The plan for `env` and `arguments`, by the options in `catalog`.

    `here` says whether the engine would run on this machine, on whose disk its files have to be.
    """
    return _made(env, store.with_elsewhere(catalog), arguments, here=here)


def _made(
    env: Mapping[str, str],
    catalog: Catalog,
    arguments: Sequence[str],
    *,
    own: Settings | None = None,
    here: bool = True,
) -> Plan:
    """`own` are the worker's settings where the catalogue is that of the installed engine."""
    telemetry = {name for name in env if name.startswith(otel.FAMILY)}
    sound, of_quotes = quotes.take_off(env, spelling.everything(catalog) | telemetry)
    written = command_line.read(arguments, otel.cleaned(sound), catalog)
    disk = look(without_none(written.env, catalog)[0])
    disk = disk if own is None else _for(catalog, own, disk)
    made = plan.make(written.env, catalog, disk, written)
    of_listener = Findings.of(made.listener) if made.listener else Findings()
    found = of_quotes + made.findings + of_listener
    made = replace(made, findings=found, environment=written.env)
    made = _looked_over(made, here=here)
    return replace(made, findings=made.findings.shortened())


def _looked_over(made: Plan, *, here: bool) -> Plan:
    """`made`, with what is said of files that are not there."""
    try:
        gone, other = hanging.look(
            lambda: _not_there(made.places), [Path("/", place.path) for place in made.places]
        )
    except hanging.HangsError:  # the engine will see
        gone, other = [], []
    found = paths.missing(gone, made.speakers, here=here)
    found += paths.unlike(other, made.speakers, here=here) + _certificates(made, here=here)
    found += _of_this_node(made) if here else Findings()
    return _warmed(replace(made, findings=made.findings + found), here=here)


def _certificates(made: Plan, *, here: bool) -> Findings:
    """What is said of a collector's certificates and keys that are not there."""
    named = otel.files(made.environment)
    if not named:
        return Findings()
    try:
        gone = hanging.look(
            lambda: {name: why for name, path in named.items() if (why := _no_file(path))},
            [*named.values()],
        )
    except hanging.HangsError:  # who sends will see
        gone = {}
    remedy = "give the absolute path of a file that this worker can read"
    found: list[Fault | Remark] = []
    for name, why in gone.items():
        message = f"{name}={named[name]} {why}"
        fault, remark = Fault(name, named[name], message, remedy), Remark(name, message, remedy)
        found.append(fault if here else remark)
    return Findings.of(*found)


def _of_this_node(made: Plan) -> Findings:
    """What is said of one of several nodes that this machine is not."""
    written, gpus = made.settings[table.NODE_ADDR], made.settings[table.NUM_TRAINERS]
    found = Findings() if written is None else _own_address(made, written)
    if gpus is None or not 0 < made.gpus < gpus:
        return found
    name = table.NUM_TRAINERS.name
    message = f"{name}={gpus}, and this machine shows {made.gpus}"
    remedy = f"use nodes with {gpus} GPUs, or lower it on all of them"
    return found + Findings.of(Remark(name, message, remedy))


def _own_address(made: Plan, written: str) -> Findings:
    """What is said of a NODE_ADDR that is another machine's."""
    from .command.cluster.addresses import bare
    from .machine import network, ports

    own = bare(written)

    name = table.NODE_ADDR.name
    if ports.is_ours(own) or any(fault.env == name for fault in made.findings.errors):
        return Findings()
    message = f"{name}={own} is not an address of this machine"
    has = f"it has {listed}" if (listed := network.listed()) else "give one that it has"
    return Findings.of(Fault(name, own, message, has))


def _warmed(made: Plan, *, here: bool) -> Plan:
    """`made` with the requests in its WARMUP file, or what is wrong with that."""
    path, name = made.settings.warmup_file, table.WARMUP.name
    if path is None:
        return made
    from .settings import warmup  # few starts have such a file

    also = frozenset(made.settings[table.ALLOWED_ROUTES])
    try:
        text = hanging.look(lambda: read_text(Path(path)), [path])
        return replace(made, warmup=warmup.requests(text, also))
    except hanging.HangsError as reason:
        remedy = "the worker warms up with requests of its own"
        found: Fault | Remark = Remark(name, f"{name}={path} is not used: {reason}", remedy)
    except OSError as reason:
        message = f"{name}={path} cannot be read: {reason.strerror}"
        remedy = "give the absolute path of a file that this worker can read"
        found = Fault(name, path, message, remedy) if here else Remark(name, message, remedy)
    except ValueError as reason:
        remedy = f"give a file with one request on each line, such as {warmup.EXAMPLE}"
        found = Fault(name, path, f"{name}={path} {reason}", remedy)
    return replace(made, findings=made.findings + Findings.of(found))


def _not_there(places: Sequence[Place]) -> tuple[list[Unfit], list[Unfit]]:
    """Places at which nothing is seen, and those at which another thing is than a file of text."""
    gone = [(place, why) for place in places if (why := _gone(place.path)) is not None]
    texts = [place for place in places if place.is_text]
    return gone, [(each, why) for each in texts if (why := unlike_text(Path("/", each.path)))]


def _gone(path: str) -> str | None:
    """Why nothing can be seen where the engine looks; empty: it is not there. None: it is."""
    if _exists(path):
        return None
    place = Path("/", path)
    reason = fault(place)
    return "" if reason is None else words(place, reason)[0]


def _no_file(path: str) -> str:
    """Why not all who send have a file of text there; empty where they have one.

    The engine runs in another folder than the worker.
    """
    if not path.startswith("/"):
        return "is no absolute path"
    missing = "" if _exists(path) else "does not exist on this machine"
    return missing or unlike_text(Path("/", path))


def _exists(path: str) -> bool:
    """Whether anything is there, as the engine will look for it; it runs in /."""
    return exists(Path("/", path))


def _for(catalog: Catalog, own: Settings, disk: OnDisk) -> OnDisk:
    """`disk` without the GPUs, where the installed engine uses none."""
    is_its_own = not own[table.ENGINE_CATALOG]
    return replace(disk, gpus=0) if is_its_own and catalog.version.endswith("+cpu") else disk


def _catalog(
    own: Settings,
    env: Mapping[str, str],
    announce: Callable[[str], None],
    asking: store.Asking | None,
) -> Catalog:
    if file := own[table.ENGINE_CATALOG]:
        return options.load(Path(file))
    return store.find(own[table.VLLM_COMMAND], env, announce, asking=asking)[0]
