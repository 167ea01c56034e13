"""The support set beside the marks: other volumes of the scene and saved files, kept in the scene.

One hidden singleton node names the sources: node references to pairs of volume and segmentation, and text nodes with
the bytes of support set files. All of it is saved in and read from ``.mrml`` and ``.mrb`` by Slicer itself.
"""

from __future__ import annotations

import base64
import binascii
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import slicer

from ...errors import InputError
from ...segmentation import SupportSet

#: Name and singleton tag of the node that lists the sources.
SOURCES_TAG = "UniverSegSupport"


@dataclass(frozen=True)
class Source:
    """Examples from elsewhere.

    Attributes:
        key: "pair-3" or "file-4", stable for as long as the source is in the scene.
        kind: Another volume with its segmentation, or a saved support set.
        title: What to call it.
        used: Switched on.
        volume, segmentation: The nodes of a pair; None where a node was deleted, and for files.
        text: The text node of a file; None for pairs.
    """

    key: str
    kind: Literal["pair", "file"]
    title: str
    used: bool
    volume: Any = None
    segmentation: Any = None
    text: Any = None


def list_sources(scene: Any) -> list[Source]:
    """Everything that was added, in order."""
    node = scene.GetSingletonNode(SOURCES_TAG, "vtkMRMLScriptedModuleNode")
    if node is None:
        return []
    result = []
    for entry in _entries(node):
        key, title, used = entry["key"], entry["title"], entry["used"]
        if key.startswith("pair-"):
            volume, segmentation = node.GetNodeReference(f"{key}.volume"), node.GetNodeReference(f"{key}.segmentation")
            result.append(Source(key, "pair", title, used, volume=volume, segmentation=segmentation))
        else:
            result.append(Source(key, "file", title, used, text=node.GetNodeReference(f"{key}.text")))
    return result


def add_pair(scene: Any, volume: Any, segmentation: Any) -> str:
    """Add another volume and segmentation of the scene; returns the key.

    Raises:
        InputError: This pair is in the list already.
    """
    if any(source.volume is volume and source.segmentation is segmentation for source in list_sources(scene)):
        raise InputError(f"'{volume.GetName()}' with '{segmentation.GetName()}' is in the support set already.")
    node = _node(scene)
    key = _add_entry(node, "pair", f"{volume.GetName()} + {segmentation.GetName()}")
    node.SetNodeReferenceID(f"{key}.volume", volume.GetID())
    node.SetNodeReferenceID(f"{key}.segmentation", segmentation.GetID())
    return key


def add_file(scene: Any, path: str | Path) -> str:
    """Read a saved support set into the scene; the file is not needed any more. Returns the key.

    Raises:
        InputError: The file is missing or is not a support set.
    """
    path = Path(path)
    SupportSet.load(path)
    text = scene.AddNewNodeByClass("vtkMRMLTextNode", path.stem)
    text.SetHideFromEditors(True)
    text.SetText(base64.b64encode(path.read_bytes()).decode("ascii"))
    node = _node(scene)
    key = _add_entry(node, "file", path.name)
    node.SetNodeReferenceID(f"{key}.text", text.GetID())
    return key


def load_stored(source: Source) -> SupportSet:
    """The support set of a file source.

    Raises:
        InputError: Its data is gone or damaged.
    """
    try:
        if source.text is None or not source.text.GetText():
            raise InputError("its data is missing from the scene")
        data = base64.b64decode(source.text.GetText(), validate=True)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "support.npz"
            path.write_bytes(data)
            return SupportSet.load(path)
    except (InputError, binascii.Error) as error:
        raise InputError(
            f"The support set '{source.title}' cannot be used ({error}): remove it and add it again."
        ) from error


def set_source_used(scene: Any, key: str, used: bool) -> None:
    """Switch a source on or off."""
    node = _node(scene)
    _write(node, [{**entry, "used": used} if entry["key"] == key else entry for entry in _entries(node)])


def remove_source(scene: Any, key: str) -> None:
    """Take a source out of the scene; the nodes of a pair stay."""
    node = _node(scene)
    text = node.GetNodeReference(f"{key}.text")
    if text is not None:
        if text.GetStorageNode() is not None:
            scene.RemoveNode(text.GetStorageNode())
        scene.RemoveNode(text)
    for role in ("volume", "segmentation", "text"):
        node.SetNodeReferenceID(f"{key}.{role}", None)
    _write(node, [entry for entry in _entries(node) if entry["key"] != key])


def _node(scene: Any) -> Any:
    node = scene.GetSingletonNode(SOURCES_TAG, "vtkMRMLScriptedModuleNode")
    if node is None:
        node = slicer.vtkMRMLScriptedModuleNode()
        node.SetName(SOURCES_TAG)
        node.SetSingletonTag(SOURCES_TAG)
        node.SetModuleName("UniverSegSlicer")
        node.SetHideFromEditors(True)
        node = scene.AddNode(node)
    return node


def _entries(node: Any) -> list[dict[str, Any]]:
    try:
        entries = json.loads(node.GetParameter("sources") or "[]")
    except ValueError:
        return []
    return [
        {"key": str(each["key"]), "title": str(each.get("title", each["key"])), "used": bool(each.get("used", True))}
        for each in entries
        if isinstance(each, dict) and "key" in each
    ]


def _write(node: Any, entries: list[dict[str, Any]]) -> None:
    node.SetParameter("sources", json.dumps(entries))


def _add_entry(node: Any, kind: str, title: str) -> str:
    entries = _entries(node)
    number = 1 + max((int(entry["key"].rpartition("-")[2]) for entry in entries), default=0)
    key = f"{kind}-{number}"
    _write(node, [*entries, {"key": key, "title": title, "used": True}])
    return key
