"""A stand-in for the hub: what `huggingface_hub` asks for, from folders of this machine."""
