"""The augmentation table of the paper's supplement as settings.

"Task" operations are drawn once for a task and applied alike to its queries and its support; "in-task" operations are
drawn for every image by itself. Where the authors' published code departs from their table (translation along one axis
only, integer ranges that exclude their upper end, one blur for all draws, one draw a batch), these settings follow the
table.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from UniverSegSlicerLib.errors import InputError

Range = tuple[float, float]


@dataclass(frozen=True)
class Operations:
    """One column of the table: probabilities ``*_p`` in [0, 1] and ranges.

    Rotation in degrees; translation as a share of the side (drawn in the range, either sign, both directions); scale as
    a factor; elastic alpha and sigma in pixels of a 128-pixel image; blur sigma in pixels; noise in intensity units.
    Gamma (intensities to a power) and curves (a random piecewise linear change of grey values, not always monotone, so
    that a task looks like one of another modality) are not in the paper's table and off by default.
    """

    affine_p: float = 0.0
    rotation: Range = (0.0, 360.0)
    translation: Range = (0.0, 0.2)
    scale: Range = (0.8, 1.1)
    brightness_contrast_p: float = 0.0
    brightness: Range = (-0.1, 0.1)
    contrast: Range = (0.8, 1.2)
    elastic_p: float = 0.0
    elastic_alpha: Range = (1.0, 2.0)
    elastic_sigma: Range = (6.0, 8.0)
    sharpness_p: float = 0.0
    sharpness: float = 5.0
    blur_p: float = 0.0
    blur_kernel: int = 5
    blur_sigma: Range = (0.1, 1.1)
    noise_p: float = 0.0
    noise_mean: Range = (0.0, 0.05)
    noise_std: Range = (0.0, 0.05)
    gamma_p: float = 0.0
    gamma: Range = (0.7, 1.5)
    curve_p: float = 0.0
    curve_std: float = 0.25
    invert_p: float = 0.0
    invert_label_p: float = 0.0
    horizontal_flip_p: float = 0.0
    vertical_flip_p: float = 0.0
    edge_p: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name.endswith("_p") and not 0.0 <= value <= 1.0:
                raise InputError(f"augmentation.{name} is {value}; a probability lies in [0, 1].")
            if isinstance(value, (tuple, list)):
                object.__setattr__(self, name, tuple(float(part) for part in value))
                if len(value) != 2 or value[0] > value[1]:
                    raise InputError(f"augmentation.{name} is {value}; expected (low, high) with low <= high.")
        if self.blur_kernel % 2 == 0:
            raise InputError(f"augmentation.blur_kernel is {self.blur_kernel}; a kernel has an odd number of pixels.")


def paper_task_operations() -> Operations:
    """The column "task" of the paper's table."""
    return Operations(
        affine_p=0.5,
        brightness_contrast_p=0.5,
        elastic_p=0.25,
        sharpness_p=0.5,
        blur_p=0.5,
        noise_p=0.5,
        invert_p=0.5,
        invert_label_p=0.5,
        horizontal_flip_p=0.5,
        vertical_flip_p=0.5,
        edge_p=0.5,
    )


def paper_in_task_operations() -> Operations:
    """The column "in-task" of the paper's table."""
    return Operations(
        affine_p=0.5,
        brightness_contrast_p=0.25,
        contrast=(0.5, 1.5),
        elastic_p=0.8,
        elastic_alpha=(1.0, 2.5),
        elastic_sigma=(7.0, 8.0),
        sharpness_p=0.25,
        blur_p=0.25,
        noise_p=0.25,
    )


@dataclass(frozen=True)
class AugmentationTable:
    """Both columns; the defaults are the paper's."""

    task: Operations = field(default_factory=paper_task_operations)
    in_task: Operations = field(default_factory=paper_in_task_operations)
