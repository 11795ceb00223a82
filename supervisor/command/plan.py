"""The whole configuration, read once: what to run, with which environment, and what was found.

Pure: environment and catalogue in, `Plan` out. Each pass takes values and returns its tokens and
its findings; `make` puts them together.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..catalog import Catalog
from ..findings import Findings, Remark
from ..models import placement
from ..models.demand import Demand
from ..models.placement import Download, Kept, OnDisk
from ..records import dataclass, field, replace
from ..settings import handed, leftovers, read, table
from ..settings.keys import API_KEY
from ..settings.read import Settings
from ..settings.table import WORKER_VARIABLES
from . import (
    arguments,
    chat_template,
    checks,
    cluster,
    command_line,
    doors,
    extra_arguments,
    families,
    legacy,
    listening,
    loading,
    served,
    spelling,
    tracing,
    translate,
)
from .arguments import Arguments
from .checks import exposed, paths
from .checks.speakers import Speakers
from .command_line import CommandLine
from .doors import media
from .doors.media import Media
from .gpus import demand
from .loading import ReadAhead

if TYPE_CHECKING:  # few starts are of a cluster; requests of its own come only after the spawn
    from ..settings.warmup import Request
    from .cluster.node import Cluster

NOTHING_ON_DISK = OnDisk()
_SECRETS = frozenset(arguments.SECRETS.values())
_IN_EXTRA = f"in {extra_arguments.NAME}"
NOBODY = Speakers((), Arguments())


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be run.

    `options` is what the command says behind the model. `model` is what the model is called,
    `model_path` where it lies if that is another thing. `download` is what the engine's process
    does before it becomes the command, by `before`. `engine_env` holds only what differs from the
    worker's own environment. `volume` is the folder for models and caches, made before the start.
    `gpus` is how many the engine sees, `demand` what is asked of each one's memory; None where that
    cannot be told. `reading` is what the worker reads ahead. `speakers` know who said what of the
    command. `files` are to be written before the start: path -> text. `environment` is the worker's
    as it was read. `warmup` are the requests of a WARMUP file. `listener` says what is open to
    those who reach the engine. `media` is what the proxy is told of the engine's own fences;
    `cluster` is this node among others, if any. `kept`, after the spawn: see `preflight.with_kept`.
    """

    settings: Settings
    vllm_version: str | None
    command: tuple[str, ...]
    options: Arguments = field(default_factory=Arguments)
    model: str | None = None
    model_path: str | None = None
    download: Download | None = None
    before: tuple[str, ...] = ()
    engine_env: Mapping[str, str] = field(default_factory=dict)
    volume: Path | None = None
    gpus: int = 0
    demand: Demand | None = None
    reading: ReadAhead | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    warmup: tuple[Request, ...] = ()
    media: Media = field(default_factory=Media)
    findings: Findings = field(default_factory=Findings)
    speakers: Speakers = NOBODY
    engine_drains_itself: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    listener: Remark | None = None
    cluster: Cluster | None = None
    kept: Mapping[str, Kept] = field(default_factory=dict)

    def value(self, flag: str) -> str | None:
        """What the command says for an option; None where it says nothing."""
        return self.options.value(flag)

    @property
    def key(self) -> str:
        """The key that the engine itself asks for; empty where it asks for none."""
        name = API_KEY.name
        return self.engine_env.get(name, self.environment.get(name, "")).strip()

    @property
    def places(self) -> tuple[paths.Place, ...]:
        """The files and folders that the engine will look for."""
        return paths.named(self.options, self.files)


def make(
    given: Mapping[str, str],
    catalog: Catalog | None,
    disk: OnDisk = NOTHING_ON_DISK,
    written: CommandLine | None = None,
) -> Plan:
    """Read the environment by a catalogue, and by what of the model is on this machine.

    Args:
        given: the worker's environment.
        catalog: what the engine accepts; with None only what is the worker's own is read.
        disk: where the model is, and where caches and temporary files go.
        written: the options that are written behind the image's name; they win.
    """
    known = spelling.known(catalog) if catalog else WORKER_VARIABLES
    names = known - translate.GUARDED.keys() | _SECRETS
    sound, found = leftovers.take(given, names)
    made = _made(sound, catalog, disk, written or CommandLine(given))
    return replace(made, findings=found + made.findings.beside(found)) if found.errors else made


def _made(
    given: Mapping[str, str], catalog: Catalog | None, disk: OnDisk, written: CommandLine
) -> Plan:
    given, of_none = legacy.without_none(given, catalog)
    settings, of_settings = read.read(given)
    version = catalog.version if catalog and catalog.complete else None
    effect = placement.effect(given, disk, version)
    has_model = bool(effect.path or table.MODEL_NAME.written(given))
    of_user, secrets, of_extra = extra_arguments.read(given, catalog, has_model=has_model)
    extra = of_user + written.options
    settings, of_listening = listening.follow(settings, of_user, written.options)
    model, of_model = effect.name, Findings()
    if effect.path is None:
        model, of_model = served.model(given, catalog, settings.mode, extra)
    env, said = served.under(effect.name, given, effect.env, extra)
    tokens, files, of_options = _passed_on(env, settings, catalog, disk)
    config_file, of_file = served.config_file(given)
    of_variables = arguments.parse((*tokens, *config_file), catalog)
    behind = command_line.overruled(of_variables, extra, catalog) + said
    drain, of_drain = listening.drain(given, settings, catalog, behind)
    quiet, of_quiet = listening.quiet(given, catalog, behind)
    placed = cluster.place(given, settings, catalog, behind, disk)
    behind = arguments.parse(placed.tokens, catalog) + placed.said
    where = (f"--host={settings.engine_host}", f"--port={settings.engine_port}")
    read_ahead, reading, of_reading = loading.ahead(behind, extra, catalog, disk, settings)
    moved = {**secrets, **written.secrets}
    of_doors = doors.read(given, moved, settings, catalog, behind, disk)
    traced = tracing.read(given, catalog, behind)
    # The gate comes before other middlewares, which makes it see what those made of a request.
    ours = (*where, *drain, *quiet, *read_ahead, *traced.tokens, *of_doors.tokens)
    options = arguments.parse(ours, catalog) + behind
    for by, place in ((written.options, "among the arguments"), (of_user, _IN_EXTRA)):
        of_options = command_line.losing(of_options, by, catalog, place)
    speakers = Speakers((*of_options.applied, *of_file.applied), of_user)
    of_values = checks.found(options, speakers, catalog) + exposed.found(options, speakers)
    fetched = media.judged(settings, options, disk.configured)
    of_options = placed.judged(of_options)
    of_family = families.tools(options, catalog, model, disk.config).beside(of_options)
    found = (of_none, of_settings, effect.findings, of_extra, of_listening, of_model, of_options)
    of_ours = (placed.findings, of_drain, of_quiet, of_reading, of_doors.findings, traced.findings)
    return Plan(
        settings,
        version,
        _command(settings, effect.path or model, options),
        options,
        model,
        effect.path,
        disk.download,
        engine_env={
            **(catalog.seed(given) if catalog else {}),
            **media.environment(given, fetched, options, catalog, disk.configured),
            **effect.engine_env,
            **moved,
            **of_doors.engine_env,
            **traced.engine_env,
        },
        volume=disk.volume,
        gpus=disk.gpus,
        demand=demand.read(options, catalog, disk.configured),
        reading=reading,
        files=files,
        media=fetched,
        findings=sum(
            (*found, *of_ours, of_file, written.findings, of_values, of_family), Findings()
        ),
        speakers=speakers,
        engine_drains_itself=options.last(listening.SHUTDOWN_TIMEOUT) is not None
        and (placed.cluster is None or placed.cluster.asked_alone),
        listener=None if placed.headless else of_doors.listener,
        cluster=placed.cluster,
    )


def _command(settings: Settings, model: str | None, options: Arguments) -> tuple[str, ...]:
    first = () if model is None else (model,)
    return (*shlex.split(settings[table.VLLM_COMMAND]), "serve", *first, *options.tokens)


def _passed_on(
    env: Mapping[str, str], settings: Settings, catalog: Catalog | None, disk: OnDisk
) -> tuple[tuple[str, ...], Mapping[str, str], Findings]:
    """The variables that are options of the engine: tokens, files to write, what was found."""
    if catalog is None:
        return (), {}, Findings()
    strict = settings[table.STRICT_ENV]
    of_spelling = spelling.misspelt(env, catalog, strict=strict)
    rewritten, of_rewriting = legacy.rewrite(env, catalog, disk.config)
    rewritten, files = chat_template.as_file(rewritten, catalog, disk.temporary)
    taken = read.taken(env)
    tokens, of_translation = translate.translate(
        rewritten, catalog, given=env, taken=taken, strict=strict
    )
    hosts, of_hosts = media.listed(settings, catalog)
    found = of_spelling + of_rewriting + of_translation + of_hosts
    return (*tokens, *hosts), files, found


def engine_environment(env: Mapping[str, str], plan: Plan) -> dict[str, str]:
    """The environment that the engine gets.

    Without the worker's own variables, without the platform's keys (nothing to the engine),
    and without our folder in PYTHONPATH. What says `None` is not set for the engine's libraries
    either.
    """
    unset = {row.env for row in plan.findings.ignored if row.reason == legacy.NONE_IS_UNSET}
    kept = {
        name: value
        for name, value in env.items()
        if name not in WORKER_VARIABLES
        and name not in unset
        and name != "PYTHONPATH"
        and not handed.is_platforms(name, value)
    }
    return {**kept, **doors.gate.python_path(env), **plan.engine_env}
