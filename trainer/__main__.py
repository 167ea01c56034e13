"""``python -m trainer``: the commands of ``universeg-trainer``, for launchers such as torchrun."""

from .cli import main

main()
