"""`docker-bake.hcl`: every image that is published, for `docker buildx bake`."""

from __future__ import annotations

from supervisor import __version__
from supervisor.settings import table
from tools import digests, tags
from tools.docs import known

_HEAD = """\
# Written by `make docs` from tools/tags.py, tools/docs/known.py and image/bases.txt:
#   docker buildx bake                  the default image
#   docker buildx bake all --push       every one that is published

variable "REPOSITORY" { default = "%s" }
variable "VERSION" { default = "%s" }
variable "REVISION" { default = "" }
variable "SOURCE" { default = "" }
variable "MODEL_NAME" { default = "" }
variable "MODEL_REVISION" { default = "" }
variable "TOKENIZER_NAME" { default = "" }
variable "TOKENIZER_REVISION" { default = "" }
variable "QUANTIZATION" { default = "" }
variable "LOAD_FORMAT" { default = "" }
variable "BASE_PATH" { default = "%s" }

group "default" {
  targets = ["%s"]
}

group "all" {
  targets = [
%s
  ]
}

target "worker" {
  context    = "."
  dockerfile = "Dockerfile"
  platforms  = ["linux/amd64"]
  args = {
    WORKER_VERSION     = VERSION
    REVISION           = REVISION
    CREATED            = timestamp()
    SOURCE             = SOURCE
    MODEL_NAME         = MODEL_NAME
    MODEL_REVISION     = MODEL_REVISION
    TOKENIZER_NAME     = TOKENIZER_NAME
    TOKENIZER_REVISION = TOKENIZER_REVISION
    QUANTIZATION       = QUANTIZATION
    LOAD_FORMAT        = LOAD_FORMAT
    BASE_PATH          = BASE_PATH
  }
}
"""

_TARGET = """
# CUDA %s
target "%s" {
  inherits = ["worker"]
  tags     = ["${REPOSITORY}:v${VERSION}-vllm%s%s"]
  args = {
    VLLM_VERSION        = "%s"
    WORKER_CUDA_VERSION = "%s"
    BASE_DIGEST         = "%s"
  }
}
"""


def text() -> str:
    """A target for each version, and for each further CUDA of it."""
    variants = [
        (version, cuda)
        for version in known.CUDA
        for cuda in ("", *known.MORE_CUDA.get(version, []))
    ]
    names = ",\n".join(f'    "{_name(*variant)}"' for variant in variants)
    base = table.BASE_PATH.default
    head = _HEAD % (tags.REPOSITORY, __version__, base, _name(known.DEFAULT, ""), names)
    return head + "".join(_target(*variant) for variant in variants)


def _target(version: str, cuda: str) -> str:
    suffix, digits = tags.suffix(cuda), cuda.replace(".", "")
    shown = cuda or known.CUDA[version]
    digest = digests.read().get(tags.base(version, cuda), "")
    return _TARGET % (shown, _name(version, cuda), version, suffix, version, digits, digest)


def _name(version: str, cuda: str) -> str:
    return f"vllm-{version.replace('.', '-')}{tags.suffix(cuda)}"
