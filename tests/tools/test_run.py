"""What the worker is told: the user's settings first, defaults for the rest."""

from pathlib import Path

from tools import run

VLLM = Path("/cache/engine/bin/vllm")
HERE = Path("/nowhere")


def test_without_a_model_the_demonstration_model_is_served() -> None:
    env = run.settings({}, HERE, VLLM, cpu=True)
    assert env["MODEL_NAME"] == str(run.DEMO_MODEL)
    assert env["SERVED_MODEL_NAME"] == "demo"
    assert env["HF_HUB_OFFLINE"] == "1"
    assert env["VLLM_COMMAND"] == str(VLLM)


def test_a_config_file_may_name_the_model() -> None:
    assert "MODEL_NAME" not in run.settings({"VLLM_CONFIG_FILE": "/c.yaml"}, HERE, VLLM, cpu=True)


def test_a_real_model_may_be_downloaded() -> None:
    env = run.settings({"MODEL_NAME": "Qwen/Qwen3-0.6B"}, HERE, VLLM, cpu=True)
    assert env["MODEL_NAME"] == "Qwen/Qwen3-0.6B"
    assert "HF_HUB_OFFLINE" not in env
    assert "SERVED_MODEL_NAME" not in env


def test_the_users_settings_stand() -> None:
    env = run.settings({"DTYPE": "float16", "ENFORCE_EAGER": " "}, HERE, VLLM, cpu=True)
    assert env["DTYPE"] == "float16"
    assert env["ENFORCE_EAGER"] == "true"


def test_a_gpu_gets_no_defaults_of_the_cpu() -> None:
    env = run.settings({"MODEL_NAME": "m"}, HERE, VLLM, cpu=False)
    assert not set(run.CPU_DEFAULTS) & set(env)


def test_the_users_own_engine_is_left_alone() -> None:
    given = {"VLLM_COMMAND": "/opt/vllm", "MODEL_NAME": "m"}
    assert run.settings(given, HERE, None, cpu=False) == given


def test_a_folder_seen_from_the_caller_becomes_absolute(tmp_path: Path) -> None:
    (tmp_path / "models" / "mine").mkdir(parents=True)
    env = run.settings({"MODEL_NAME": "models/mine"}, tmp_path, VLLM, cpu=True)
    assert env["MODEL_NAME"] == str((tmp_path / "models" / "mine").resolve())


def test_files_seen_from_the_caller_become_absolute(tmp_path: Path) -> None:
    for name in ("my.yaml", "chat.jinja", "model.gguf"):
        (tmp_path / name).touch()
    template = "{% for m in messages %}" + "x" * 5000
    given = {
        "MODEL_NAME": "model.gguf",
        "VLLM_CONFIG_FILE": " my.yaml",
        "CHAT_TEMPLATE": "./chat.jinja",
        "TOKENIZER": "org/name",
    }
    env = run.settings(given, tmp_path, VLLM, cpu=True)
    assert env["MODEL_NAME"] == str(tmp_path / "model.gguf")
    assert env["VLLM_CONFIG_FILE"] == str(tmp_path / "my.yaml")
    assert env["CHAT_TEMPLATE"] == str(tmp_path / "chat.jinja")
    assert env["TOKENIZER"] == "org/name"
    env = run.settings({"CHAT_TEMPLATE": template}, tmp_path, VLLM, cpu=True)
    assert env["CHAT_TEMPLATE"] == template


def test_what_make_means_does_not_reach_the_worker() -> None:
    env = run.settings({"MAKEFLAGS": "w", "ENGINE": "cpu", "PATH": "/bin"}, HERE, VLLM, cpu=True)
    assert "MAKEFLAGS" not in env
    assert "ENGINE" not in env
    assert env["PATH"] == "/bin"


def test_it_is_said_where_the_page_of_the_worker_is() -> None:
    assert run.page({}).endswith(" http://127.0.0.1:8001/")
    elsewhere = {"PORT_HEALTH": "8002", "CONTROL_HOST": "127.0.0.5"}
    assert run.page(elsewhere).endswith(" http://127.0.0.5:8002/")
