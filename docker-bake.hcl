# Written by `make docs` from tools/tags.py, tools/docs/known.py and image/bases.txt:
#   docker buildx bake                  the default image
#   docker buildx bake all --push       every one that is published

variable "REPOSITORY" { default = "vllmsupervisor/worker" }
variable "VERSION" { default = "0.1.0" }
variable "REVISION" { default = "" }
variable "SOURCE" { default = "" }
variable "MODEL_NAME" { default = "" }
variable "MODEL_REVISION" { default = "" }
variable "TOKENIZER_NAME" { default = "" }
variable "TOKENIZER_REVISION" { default = "" }
variable "QUANTIZATION" { default = "" }
variable "LOAD_FORMAT" { default = "" }
variable "BASE_PATH" { default = "/runpod-volume" }

group "default" {
  targets = ["vllm-0-33-0"]
}

group "all" {
  targets = [
    "vllm-0-33-0",
    "vllm-0-33-0-cu129",
    "vllm-0-32-0",
    "vllm-0-32-0-cu129",
    "vllm-0-27-1",
    "vllm-0-27-1-cu129",
    "vllm-0-14-1",
    "vllm-0-10-2",
    "vllm-0-6-2"
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

# CUDA 13.0
target "vllm-0-33-0" {
  inherits = ["worker"]
  tags     = ["${REPOSITORY}:v${VERSION}-vllm0.33.0"]
  args = {
    VLLM_VERSION        = "0.33.0"
    WORKER_CUDA_VERSION = ""
    BASE_DIGEST         = ""
  }
}

# CUDA 12.9
target "vllm-0-33-0-cu129" {
  inherits = ["worker"]
  tags     = ["${REPOSITORY}:v${VERSION}-vllm0.33.0-cu129"]
  args = {
    VLLM_VERSION        = "0.33.0"
    WORKER_CUDA_VERSION = "129"
    BASE_DIGEST         = ""
  }
}

# CUDA 13.0
target "vllm-0-32-0" {
  inherits = ["worker"]
  tags     = ["${REPOSITORY}:v${VERSION}-vllm0.32.0"]
  args = {
    VLLM_VERSION        = "0.32.0"
    WORKER_CUDA_VERSION = ""
    BASE_DIGEST         = ""
  }
}

# CUDA 12.9
target "vllm-0-32-0-cu129" {
  inherits = ["worker"]
  tags     = ["${REPOSITORY}:v${VERSION}-vllm0.32.0-cu129"]
  args = {
    VLLM_VERSION        = "0.32.0"
    WORKER_CUDA_VERSION = "129"
    BASE_DIGEST         = ""
  }
}

# CUDA 13.0
target "vllm-0-27-1" {
  inherits = ["worker"]
  tags     = ["${REPOSITORY}:v${VERSION}-vllm0.27.1"]
  args = {
    VLLM_VERSION        = "0.27.1"
    WORKER_CUDA_VERSION = ""
    BASE_DIGEST         = ""
  }
}

# CUDA 12.9
target "vllm-0-27-1-cu129" {
  inherits = ["worker"]
  tags     = ["${REPOSITORY}:v${VERSION}-vllm0.27.1-cu129"]
  args = {
    VLLM_VERSION        = "0.27.1"
    WORKER_CUDA_VERSION = "129"
    BASE_DIGEST         = ""
  }
}

# CUDA 12.9
target "vllm-0-14-1" {
  inherits = ["worker"]
  tags     = ["${REPOSITORY}:v${VERSION}-vllm0.14.1"]
  args = {
    VLLM_VERSION        = "0.14.1"
    WORKER_CUDA_VERSION = ""
    BASE_DIGEST         = ""
  }
}

# CUDA 12.8
target "vllm-0-10-2" {
  inherits = ["worker"]
  tags     = ["${REPOSITORY}:v${VERSION}-vllm0.10.2"]
  args = {
    VLLM_VERSION        = "0.10.2"
    WORKER_CUDA_VERSION = ""
    BASE_DIGEST         = ""
  }
}

# CUDA 12.4
target "vllm-0-6-2" {
  inherits = ["worker"]
  tags     = ["${REPOSITORY}:v${VERSION}-vllm0.6.2"]
  args = {
    VLLM_VERSION        = "0.6.2"
    WORKER_CUDA_VERSION = ""
    BASE_DIGEST         = ""
  }
}
