"""Picture sheets: what the network is shown and what it answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from trainer.tasks.episodes import Episodes

_MARGIN = 2


def overlay(image: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Grey image ``(H, W)`` in [0, 1] with a mask in [0, 1] tinted over it, as uint8 ``(H, W, 3)``."""
    grey = np.repeat(np.clip(image, 0, 1)[..., None] * 255, 3, axis=2)
    weight = 0.5 * np.clip(mask, 0, 1)[..., None]
    return (grey * (1 - weight) + np.array(colour) * weight).astype(np.uint8)


def tile(rows: list[list[np.ndarray]]) -> np.ndarray:
    """Pictures ``(H, W, 3)`` uint8 of one size in rows; shorter rows end in white."""
    height, width = rows[0][0].shape[:2]
    columns = max(len(row) for row in rows)
    shape = (len(rows) * (height + _MARGIN) - _MARGIN, columns * (width + _MARGIN) - _MARGIN, 3)
    sheet = np.full(shape, 255, dtype=np.uint8)
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            top, left = r * (height + _MARGIN), c * (width + _MARGIN)
            sheet[top : top + height, left : left + width] = picture
    return sheet


def save_picture(path: Path, picture: np.ndarray) -> None:
    """Write a uint8 picture; the folder is made if need be."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


def draw_episodes(episodes: Episodes, logits: Tensor, path: Path, tasks: int = 8, support: int = 4) -> None:
    """A row a task: support with labels (green), query with truth (green), with prior (blue), with the answer (red)."""
    rows = []
    probability = torch.sigmoid(logits.float()).cpu().numpy()
    for t in range(min(tasks, len(episodes.names))):
        images, labels = episodes.support_images[t, :support, 0], episodes.support_labels[t, :support, 0]
        row = [overlay(i, m, (0, 200, 0)) for i, m in zip(images.cpu().numpy(), labels.cpu().numpy(), strict=True)]
        query = episodes.query_images[t, 0, 0].cpu().numpy()
        row.append(overlay(query, episodes.query_labels[t, 0, 0].cpu().numpy(), (0, 200, 0)))
        row.append(overlay(query, episodes.priors[t, 0, 0].cpu().numpy(), (40, 80, 255)))
        row.append(overlay(query, probability[t, 0, 0], (255, 40, 40)))
        rows.append(row)
    save_picture(path, tile(rows))
