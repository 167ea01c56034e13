"""The real catalogue, and what the panel reads of the running Slicer that needs no window."""

from __future__ import annotations

from typing import Any


def test_catalogue_names_the_default_and_the_published_model(application: Any) -> None:
    from UniverSegSlicerLib.panel.catalogue import CatalogueStore

    choices = {choice.name: choice for choice in CatalogueStore().choices()}
    assert next(iter(choices)) == "default"
    assert "research" in choices["universeg-v1"].terms


def test_slice_under_a_click(desk: Any) -> None:
    import slicer

    from UniverSegSlicerLib.panel.host import slice_at
    from UniverSegSlicerLib.panel.views.slice_clicks import to_ras

    volume, _ = desk.sample()
    view = desk.scene.AddNode(slicer.vtkMRMLSliceNode())
    view.SetOrientationToAxial()
    view.SetDimensions(200, 200, 1)
    view.SetFieldOfView(200, 200, 1)
    view.SetSliceOffset(desk.logic.slice_position(volume, "k", 30)[2])
    view.UpdateMatrices()
    assert slice_at(view, volume, to_ras(view, 100, 100)) == ("k", 30)
    centre = desk.logic.slice_position(volume, "j", 50)
    view.SetSliceToRASByNTP(0, 1, 0, -1, 0, 0, *centre, 0)
    view.UpdateMatrices()
    assert slice_at(view, volume, to_ras(view, 100, 100)) == ("j", 50)
    assert slice_at(view, volume, (9999.0, 0.0, 0.0)) is None
