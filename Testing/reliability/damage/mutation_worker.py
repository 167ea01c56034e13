"""A process that reads damaged files under a limit of memory and under watch; :mod:`.mutate` starts and feeds it.

Every line on stdin is a JSON list [kind, number, seed]; every line on stdout tells what came of it.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from .mutations import mutate
from .seed_files import Seeds

#: Address space beyond what the process has when it starts to read, in bytes: room for a thousand of these files.
HEADROOM = 1 << 30

#: What no reader has any business to do, by the names of Python's audit events.
FORBIDDEN = (
    "os.system", "os.exec", "os.spawn", "os.posix_spawn", "os.fork", "os.remove", "os.rename", "os.rmdir", "os.mkdir",
    "subprocess.Popen", "shutil.", "socket.", "urllib.Request", "webbrowser.", "pty.", "ctypes.dlopen",
)  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

watching: list[str] = []
_on = False


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _on:
        return
    if event.startswith(FORBIDDEN):
        watching.append(f"{event} {arguments!r}"[:200])
    elif event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING and arguments[0] != os.devnull:
        watching.append(f"open for writing {arguments[0]!r}")


def main() -> None:
    """Serve until stdin ends."""
    global _on  # noqa: PLW0603
    with tempfile.TemporaryDirectory() as made:
        seeds = Seeds(Path(made))
        work = Path(made) / "work"
        work.mkdir()
        for files in seeds.kinds.values():  # imports and caches before the limit holds
            for path, reader in files:
                (work / path.name).write_bytes(path.read_bytes())
                _read(reader, work / path.name)
        contents = {kind: [(p.name, p.read_bytes(), r) for p, r in files] for kind, files in seeds.kinds.items()}
        _limit_memory()
        sys.addaudithook(_audit)
        warnings.simplefilter("ignore")
        print(json.dumps({kind: len(files) for kind, files in contents.items()}), flush=True)
        for line in sys.stdin:
            kind, number, seed = json.loads(line)
            name, data, reader = contents[kind][number % len(contents[kind])]
            path = work / name
            path.write_bytes(mutate(data, name, random.Random(f"{seed}/{kind}/{number}")))
            watching.clear()
            before = _peak()
            _on = kind != "checkpoint" and not name.startswith("series_")  # their readers here copy files first
            answer = _read(reader, path)
            _on = False
            print(json.dumps({**answer, "file": name, "watched": watching[:3], "memory": _peak() - before}), flush=True)
            path.unlink(missing_ok=True)


def _read(reader: Any, path: Path) -> dict[str, str]:
    from UniverSegSlicerLib.errors import UniverSegError

    try:
        reader(path)
    except UniverSegError as error:
        one_line = "\n" not in str(error) and str(error).strip()
        return {"outcome": "refused" if one_line else "not one sentence", "detail": repr(error)[:300]}
    except MemoryError as error:
        return {"outcome": "memory", "detail": repr(error)[:300]}
    except BaseException as error:
        import traceback

        return {"outcome": "crash", "detail": repr(error)[:200] + traceback.format_exc()[-1500:]}
    return {"outcome": "read", "detail": ""}


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    if pages:
        most = pages * resource.getpagesize() + HEADROOM
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _peak() -> int:
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
