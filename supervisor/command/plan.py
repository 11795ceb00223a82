"""The whole configuration, read once: what to run, with which environment, and what was found.

Pure: environment and catalogue in, `Plan` out.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..catalog import Catalog
from ..findings import Fault, Findings, Remark, Setting
from ..models import placement
from ..models.placement import Download, OnDisk
from ..secrets import MASK, masked
from ..settings import parsers, table
from ..settings.mode import Mode
from ..settings.read import Settings, read
from ..settings.table import WORKER_VARIABLES
from . import chat_template, legacy, spelling, translate

#: Options whose value is a secret -> the variable in which the engine reads it.
_SECRET_OPTIONS = {"--api-key": "VLLM_API_KEY", "--hf-token": "HF_TOKEN"}
NOTHING_ON_DISK = OnDisk()
_SHORTEST_PREFIX = 5  # characters of such an option, however it is cut short


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be run.

    `model` is what it is called, `model_path` where it lies if that is another thing.
    `download` is what the engine's process does before it becomes the command, by `before`.
    `engine_env` holds only what differs from the worker's own environment. `files` are to be
    written before the start: path -> text.
    """

    settings: Settings
    vllm_version: str | None
    command: tuple[str, ...]
    model: str | None = None
    model_path: str | None = None
    download: Download | None = None
    before: tuple[str, ...] = ()
    engine_env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    findings: Findings = field(default_factory=Findings)

    def value(self, flag: str) -> str | None:
        """What the command says for an option; None where it says nothing."""
        return _values(self.command, None).get(flag)


def make(given: Mapping[str, str], catalog: Catalog | None, disk: OnDisk = NOTHING_ON_DISK) -> Plan:
    """Read the environment by a catalogue, and by what of the model is on this machine.

    Args:
        given: the worker's environment.
        catalog: what the engine accepts; with None only what is the worker's own is read.
        disk: where the model is, and where caches go.
    """
    settings, findings = read(given)
    version = catalog.version if catalog and catalog.complete else None
    effect = placement.effect(given, disk, version)
    env = dict(effect.env)
    findings.settings += effect.settings
    findings.ignored += effect.ignored
    extra = _extra_arguments(env, findings)
    extra, engine_env = _without_secrets(extra, catalog, findings)
    if effect.model is not None and "--served-model-name" in _values(extra, catalog):
        extra = _served_too(extra, env["MODEL_NAME"], catalog)
        if not given.get("SERVED_MODEL_NAME", "").strip():
            env.pop("SERVED_MODEL_NAME", None)
    settings = _listening(settings, extra, catalog, findings)
    model = _model(env, catalog, findings) if effect.model is None else env["MODEL_NAME"]
    served = effect.model or model
    files: dict[str, str] = {}
    tokens = _options(env, settings, catalog, findings, files) if catalog else []
    command = [
        *shlex.split(settings[table.VLLM_COMMAND]),
        "serve",
        *([served] if served else []),
        f"--host={settings.engine_host}",
        f"--port={settings.engine_port}",
        *_drain(env, settings, catalog, [*tokens, *extra], findings),
        *tokens,
        *_config_file(env, findings),
        *extra,
    ]
    engine_env = {**effect.engine_env, **engine_env}
    return Plan(
        settings,
        version,
        tuple(command),
        model,
        effect.model,
        disk.download,
        engine_env=engine_env,
        files=files,
        findings=findings,
    )


def _options(
    env: Mapping[str, str],
    settings: Settings,
    catalog: Catalog,
    findings: Findings,
    files: dict[str, str],
) -> list[str]:
    strict = settings[table.STRICT_ENV]
    _misspelt(env, catalog, findings, strict=strict)
    rewritten = legacy.rewrite(env, catalog, findings)
    chat_template.as_file(rewritten, catalog, env, files)
    return translate.translate(
        rewritten, catalog, findings, given=env, taken=WORKER_VARIABLES, strict=strict
    )


def _misspelt(
    env: Mapping[str, str], catalog: Catalog, findings: Findings, *, strict: bool
) -> None:
    """Names that resemble a setting: a warning each, under STRICT_ENV an error each."""
    known = {*catalog.by_variable, *catalog.elsewhere, *legacy.names(), *WORKER_VARIABLES}
    for name, meant in spelling.suspects(env, known).items():
        message = f"{name} is not a setting of the worker or of vLLM {catalog.version}"
        suggestion = f"did you mean {meant}?"
        if strict:
            # The value says nothing here, and may be a secret under a misspelt name.
            findings.errors.append(Fault(name, MASK, message, suggestion))
        else:
            findings.warnings.append(Remark(name, message, suggestion))


def engine_environment(env: Mapping[str, str], plan: Plan) -> dict[str, str]:
    """The environment that the engine gets.

    Without the worker's own variables, without the platform's (its key is nothing to the engine),
    and without PYTHONPATH: the engine's environment holds another package named `supervisor`.
    """
    kept = {
        name: value
        for name, value in env.items()
        if name not in WORKER_VARIABLES and name != "PYTHONPATH" and not _is_platform_secret(name)
    }
    return {**kept, **plan.engine_env}


def _is_platform_secret(name: str) -> bool:
    return name.startswith("RUNPOD_WEBHOOK_") or name in {"RUNPOD_AI_API_KEY", "RUNPOD_API_KEY"}


def _model(env: Mapping[str, str], catalog: Catalog | None, findings: Findings) -> str | None:
    model = env.get("MODEL_NAME", "").strip()
    if model.startswith(("./", "../", "~")) or model in {".", ".."}:
        message = f"MODEL_NAME={model} is a relative path, and the engine runs in another folder"
        findings.errors.append(Fault("MODEL_NAME", model, message, "give the whole path"))
        return None
    if model.startswith("-"):
        message = f"MODEL_NAME={model} looks like an option, not like a model"
        suggestion = "give a repository name or a path; options go into VLLM_EXTRA_ARGS"
        findings.errors.append(Fault("MODEL_NAME", model, message, suggestion))
        return None
    if model:
        setting = Setting("MODEL_NAME", model, None, "worker", "the model, as the first argument")
        findings.settings.append(setting)
        return model
    if env.get("VLLM_CONFIG_FILE", "").strip():
        return None
    if catalog is not None and catalog.model_required:
        message = (
            f"MODEL_NAME is not set, and vLLM {catalog.version} does not start without a model"
        )
        findings.errors.append(Fault("MODEL_NAME", "", message, "set MODEL_NAME"))
        return None
    option = catalog.option("--model") if catalog else None
    default = option.default if option else None
    serves = f"vLLM serves its default, {default}" if default else "vLLM picks its default"
    remark = Remark("MODEL_NAME", f"MODEL_NAME is not set: {serves}", "set MODEL_NAME")
    findings.warnings.append(remark)
    return None


def _config_file(env: Mapping[str, str], findings: Findings) -> list[str]:
    path = env.get("VLLM_CONFIG_FILE", "").strip()
    if not path:
        return []
    findings.settings.append(Setting("VLLM_CONFIG_FILE", path, "--config", "config-file"))
    return ["--config", path]  # two tokens: as --config=FILE vLLM does not read it, silently


def _extra_arguments(env: Mapping[str, str], findings: Findings) -> list[str]:
    text = env.get("VLLM_EXTRA_ARGS", "").strip()
    if not text:
        return []
    try:
        return shlex.split(text)
    except ValueError as reason:
        # Not its text: what is a secret in it cannot be told before it is split.
        message = f"VLLM_EXTRA_ARGS cannot be split as a shell would: {str(reason).lower()}"
        findings.errors.append(Fault("VLLM_EXTRA_ARGS", MASK, message, "close the quote"))
        return []


def _served_too(extra: Sequence[str], name: str, catalog: Catalog | None) -> list[str]:
    """The extra arguments with `name` behind the names that they give: what comes last wins."""
    kept = list(extra)
    flags = [_option_of(token, catalog) for token in kept]
    at = len(flags) - 1 - flags[::-1].index("--served-model-name")
    flag, equals, value = kept[at].partition("=")
    end = at + 1
    while not equals and end < len(kept) and not kept[end].startswith("-"):
        end += 1
    names = [value] if equals else kept[at + 1 : end]
    return [*kept[:at], flag, *dict.fromkeys((*names, name)), *kept[end:]]


def _option_of(token: str, catalog: Catalog | None) -> str:
    """The option that `token` begins, spelt in full: argparse takes `--api_k=...` for --api-key."""
    name = token.partition("=")[0].replace("_", "-")
    if not name.startswith("--") or (catalog and name in catalog.by_flag):
        return name
    known = catalog.by_flag if catalog else {}
    meant = {option.flag for spelling, option in known.items() if spelling.startswith(name)}
    if len(meant) == 1:
        return meant.pop()
    # Better too many than one on a command line that every process of the machine can read.
    hidden = [flag for flag in _SECRET_OPTIONS if flag.startswith(name)]
    return hidden[0] if hidden and len(name) >= _SHORTEST_PREFIX else name


def _without_secrets(
    extra: Sequence[str], catalog: Catalog | None, findings: Findings
) -> tuple[list[str], dict[str, str]]:
    """Move the values of --api-key and --hf-token to the variables in which the engine reads them:
    on a command line every process of the machine could read them.
    """
    kept: list[str] = []
    moved: dict[str, str] = {}
    rest = list(extra)
    while rest:
        flag, (_, equals, value) = _option_of(rest[0], catalog), rest[0].partition("=")
        variable = _SECRET_OPTIONS.get(flag)
        if variable is None:
            kept.append(rest.pop(0))
            continue
        rest.pop(0)
        values = [value] if equals else []
        while not equals and rest and not rest[0].startswith("-"):
            values.append(rest.pop(0))
        value = values[0] if values else ""
        if len(values) > 1:  # vLLM's variable holds one key, and none may stay on the command line
            message = f"{flag} in VLLM_EXTRA_ARGS has {len(values)} values; only the first is used"
            findings.warnings.append(Remark("VLLM_EXTRA_ARGS", message, f"set {variable}"))
        if value:
            moved[variable] = value
        message = f"the value of {flag} in VLLM_EXTRA_ARGS is handed over as {variable} instead"
        findings.warnings.append(Remark("VLLM_EXTRA_ARGS", message, f"set {variable}"))
    if kept:
        shown = shlex.join(masked("VLLM_EXTRA_ARGS", token) for token in kept)
        findings.settings.append(Setting("VLLM_EXTRA_ARGS", shown, None, "extra-args"))
    return kept, moved


def _listening(
    settings: Settings, extra: Sequence[str], catalog: Catalog | None, findings: Findings
) -> Settings:
    """What the user says in VLLM_EXTRA_ARGS comes last and wins, so the worker has to follow it."""
    said = _values(extra, catalog)
    if "--uds" in said:
        message = "--uds in VLLM_EXTRA_ARGS takes the engine off TCP, where the worker looks for it"
        findings.errors.append(Fault("VLLM_EXTRA_ARGS", "--uds", message, "remove it"))
    if said.get("--ssl-certfile") or said.get("--ssl-keyfile"):
        if settings.mode is Mode.QUEUE:
            message = "--ssl-... in VLLM_EXTRA_ARGS has no use in queue mode: only the worker talks"
            message += " to the engine there"
            suggestion = "remove it; the way to the platform is encrypted without"
            findings.errors.append(Fault("VLLM_EXTRA_ARGS", "--ssl-...", message, suggestion))
        settings = replace(settings, engine_tls=True)
    if host := said.get("--host"):
        settings = replace(settings, engine_host=host)
    text = said.get("--port")
    if text is not None:
        try:
            settings = replace(settings, engine_port=parsers.port(text))
        except ValueError as reason:
            message = f"--port {text} in VLLM_EXTRA_ARGS {reason}"
            findings.errors.append(Fault("VLLM_EXTRA_ARGS", f"--port {text}", message))
    if settings.control_port == settings.engine_port:
        number = settings.control_port
        message = f"PORT_HEALTH={number} is the engine's own port"
        suggestion = "give the two different numbers, for example PORT_HEALTH=8001"
        findings.errors.append(Fault("PORT_HEALTH", str(number), message, suggestion))
    return settings


def _values(tokens: Sequence[str], catalog: Catalog | None) -> dict[str, str]:
    """Each option among `tokens`, spelt in full -> its first value; the last one counts."""
    found = {}
    for index, token in enumerate(tokens):
        if token.startswith("--"):
            _, equals, value = token.partition("=")
            follows = next(iter(tokens[index + 1 :]), "")
            found[_option_of(token, catalog)] = value if equals else follows
    return found


def _drain(
    env: Mapping[str, str],
    settings: Settings,
    catalog: Catalog | None,
    said: Sequence[str],
    findings: Findings,
) -> list[str]:
    """Where clients talk to the engine directly it has to drain itself: by default vLLM aborts what
    runs at SIGTERM. In queue mode the proxy has finished its jobs before the engine is told.
    """
    flag = "--shutdown-timeout"
    if settings.mode is Mode.QUEUE or catalog is None or catalog.option(flag) is None:
        return []
    if flag in _values(said, catalog):
        return []
    own = env.get("DRAIN_TIMEOUT", "").strip()
    if env.get("VLLM_CONFIG_FILE", "").strip() and not own:
        return []  # the file may say it, and a default is not to win over it
    value = f"{settings[table.DRAIN_TIMEOUT]:.0f}"
    note = "the engine finishes what runs before it stops"
    findings.settings[:] = [row for row in findings.settings if row.env != "DRAIN_TIMEOUT"]
    findings.settings.append(Setting("DRAIN_TIMEOUT", value, flag, "worker", note))
    return [f"{flag}={value}"]
