"""The timing of a whole volume."""

from __future__ import annotations

from pathlib import Path


def test_a_volume_is_timed(command, tiny_model_path: Path) -> None:
    done = command("bench", "volume", "--size", "48,40,14", "--marks", "3", "--model", tiny_model_path, "--json")
    assert done.code == 0, done.err
    assert done.json["size"] == [48, 40, 14] and done.json["strategy"] == "guided"
    assert done.json["seconds"] > 0 and 0 < done.json["dice"] <= 1


def test_sizes_and_marks_that_cannot_be(command) -> None:
    assert "not three numbers" in command("bench", "volume", "--size", "256,256").err
    done = command("bench", "volume", "--size", "20,20,10", "--marks", "10")
    assert done.code == 2 and "leave nothing" in done.err
