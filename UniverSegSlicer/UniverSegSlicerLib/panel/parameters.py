"""The panel's choices, stored in the scene by Slicer's parameter node wrapper and bound to widgets by name."""

from __future__ import annotations

import enum
import pathlib

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import parameterNodeWrapper


class Axis(enum.Enum):
    """Along which axis of the volume the slices are taken."""

    AUTO = "auto"
    I = "i"  # noqa: E741 - the volume's own axis names
    J = "j"
    K = "k"

    def label(self) -> str:
        """The words shown in the panel."""
        return {
            Axis.AUTO: _("Automatic (from the marks)"),
            Axis.I: _("I (first image axis)"),
            Axis.J: _("J (second image axis)"),
            Axis.K: _("K (acquired slices)"),
        }[self]


class Range(enum.Enum):
    """Which slices a run fills in."""

    WHOLE = "volume"
    BETWEEN = "between"
    CURRENT = "slice"
    AROUND = "around"

    def label(self) -> str:
        """The words shown in the panel."""
        return {
            Range.WHOLE: _("Whole volume"),
            Range.BETWEEN: _("Between the marks"),
            Range.CURRENT: _("Current slice"),
            Range.AROUND: _("Around the current slice (after a correction)"),
        }[self]


class Quality(enum.Enum):
    """How much work goes into one slice."""

    FAST = "fast"
    BALANCED = "balanced"
    BEST = "best"

    def label(self) -> str:
        """The words shown in the panel."""
        return {Quality.FAST: _("Fast"), Quality.BALANCED: _("Balanced"), Quality.BEST: _("Best")}[self]


class Device(enum.Enum):
    """What the network runs on."""

    AUTO = "auto"
    CUDA = "cuda"
    MPS = "mps"
    CPU = "cpu"

    def label(self) -> str:
        """The words shown in the panel."""
        return {
            Device.AUTO: _("Automatic"),
            Device.CUDA: _("NVIDIA graphics card"),
            Device.MPS: _("Apple graphics"),
            Device.CPU: _("Processor"),
        }[self]


@parameterNodeWrapper
class PanelParameters:
    """Everything that the panel remembers with the scene."""

    volume: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    axis: Axis = Axis.AUTO
    range: Range = Range.WHOLE
    quality: Quality = Quality.BALANCED
    model: str = "default"
    device: Device = Device.AUTO
    surface: bool = True
    slicesOnly: bool = False
    exportFolder: pathlib.Path = pathlib.Path()
    exportSingleSegments: bool = False
    folderInput: pathlib.Path = pathlib.Path()
    folderKind: str = ""
    folderOutput: pathlib.Path = pathlib.Path()
