"""The report: cut-outs, outliers, and the page in a real browser."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from Testing.cohort.conftest import Made, body
from Testing.cohort.records import NAMES, page, record
from UniverSegSlicerLib.cohort.report.cuts import SIDE, cuts_of
from UniverSegSlicerLib.cohort.report.outliers import find_outliers
from UniverSegSlicerLib.cohort.report.plot import plots_of
from UniverSegSlicerLib.imaging import Geometry, Volume


def seen(text: str) -> tuple[np.ndarray, list[dict[str, str]]]:
    content = json.loads(text)
    data = base64.b64decode(content["image"].partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("L")), content["outlines"]


def points_of(path: str) -> np.ndarray:
    return np.array([[float(v) for v in pair.split()] for pair in re.findall(r"[\d.-]+ [\d.-]+", path)])


def test_outlines_lie_on_what_is_bright() -> None:
    volume, truth = body()
    image, outlines = seen(cuts_of(volume, truth, (1,)))
    assert image.shape == (SIDE, 3 * SIDE)
    for view, paths in enumerate(outlines):
        points = points_of(paths["1"])
        middle = points.mean(axis=0)
        part = image[:, view * SIDE : (view + 1) * SIDE]
        inside = part[int(middle[1]), int(middle[0])]
        beyond = middle + 1.5 * (points[np.abs(points[:, 1] - middle[1]).argmin()] - middle)
        x, y = np.clip(beyond, 0, SIDE - 1).astype(int)
        assert inside > part[y, x] + 60


@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, 1), (1, -1, -1)])
def test_left_is_on_the_right_and_the_head_is_up_however_the_voxels_lie(flips: tuple[int, int, int]) -> None:
    """A spot at the patient's left, front and head, in voxels of any direction."""
    spot = np.zeros((12, 12, 12), np.uint16)
    spot[9:11, 1:3, 9:11] = 1
    array = spot[tuple(slice(None, None, f) for f in flips[::-1])].copy()
    direction = tuple(float(v) for v in np.diag(flips).ravel())
    volume = Volume(array.astype(np.float32), Geometry((12, 12, 12), direction=direction))
    _, outlines = seen(cuts_of(volume, array, (1,)))
    axial, coronal, sagittal = (points_of(paths["1"]).mean(axis=0) for paths in outlines)
    half = SIDE / 2
    assert axial[0] > half > axial[1] and coronal[0] > half > coronal[1] and max(sagittal) < half


def test_nothing_found_is_drawn_too() -> None:
    volume, truth = body()
    image, outlines = seen(cuts_of(volume, truth * 0, (1, 2)))
    assert image.max() > 100 and outlines == [{"1": "", "2": ""}] * 3


def test_outliers_say_why() -> None:
    records = [record(n, 1.0 + n / 50) for n in range(9)]
    records[4] = record(4, 0.2)
    records[6] = record(6, labels={}, error="gone.")
    found = find_outliers(records)
    assert max(found, key=lambda one: one.score) is found[6] and found[6].reasons == ("failed",)
    assert found[4].score == max(one.score for n, one in enumerate(found) if n != 6)
    assert found[4].reasons == ("body is small: 0.2 ml",) and found[0].reasons == ()


def test_plots_hold_every_case_by_rising_volume() -> None:
    (body_plot, shell) = plots_of([record(n, 2.0 - n / 10) for n in range(5)], NAMES)
    assert [point.number for point in body_plot.points] == [4, 3, 2, 1, 0]
    heights = [point.y for point in body_plot.points]
    assert heights == sorted(heights, reverse=True) and body_plot.median == pytest.approx(1.8)
    assert len(shell.points) == 5
    assert plots_of([], NAMES) == []


def test_a_cohort_comes_with_its_report(made: Made) -> None:
    cohort = made.run()
    text = (cohort.folder / "report.html").read_text(encoding="utf-8")
    assert text.count("<article") == 3 and text.count("data:image/webp;base64,") == 3
    assert not re.search(r"(src|href)=\"(?!data:)", text), "nothing is loaded from elsewhere"


def test_five_hundred_cases_are_small_enough() -> None:
    rng = np.random.default_rng(0)
    volume = Volume(rng.normal(0, 1, (64, 64, 64)).astype(np.float32), Geometry((64, 64, 64)))
    noise = len(cuts_of(volume, np.ones((64, 64, 64), np.uint16), (1,)))
    assert 500 * (noise + 5000) < 40e6, "even where every picture is noise, which packs worst"


BROWSER, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium that saves downloads in its folder ``saved``."""
    webdriver = pytest.importorskip("selenium.webdriver")
    if not BROWSER or not DRIVER:
        pytest.skip("no chromium and chromedriver here")
    folder = tmp_path_factory.mktemp("browser")
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1300,900"):
        options.add_argument(argument)
    options.binary_location = BROWSER
    options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.saved = folder
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Any:
    (tmp_path / "report.html").write_text(page(), encoding="utf-8")
    browser.get((tmp_path / "report.html").as_uri())
    browser.execute_script("localStorage.clear()")
    browser.refresh()
    return browser


def shown(browser: Any) -> list[str]:
    script = "return [...document.querySelectorAll('.case:not([hidden])')].map(c => c.dataset.name)"
    return browser.execute_script(script)


def choose(browser: Any, name: str, value: str) -> None:
    browser.execute_script(
        f"const s = document.getElementById('{name}'); s.value = '{value}';"
        "s.dispatchEvent(new Event('change')); s.dispatchEvent(new Event('input'))"
    )


@pytest.mark.browser
def test_sorting_and_filtering(opened: Any) -> None:
    assert shown(opened)[:2] == ["case 3", "case 5"] and len(shown(opened)) == 12
    choose(opened, "sort", "distance")
    assert shown(opened)[:2] == ["case 11", "case 10"] and shown(opened)[-1] == "case 3"
    opened.find_element("id", "direction").click()
    assert shown(opened)[:2] == ["case 0", "case 1"] and shown(opened)[-1] == "case 3"
    choose(opened, "sort", "ml1")
    assert shown(opened)[0] == "case 11"
    choose(opened, "show", "failed")
    assert shown(opened) == ["case 3"]
    choose(opened, "show", "warned")
    assert shown(opened) == ["case 7"]
    choose(opened, "show", "")
    choose(opened, "measure", "ml1")
    choose(opened, "most", "1.015")
    assert set(shown(opened)) == {"case 0", "case 1", "case 5"}
    assert opened.find_element("id", "count").text == "3 of 12"
    choose(opened, "most", "")
    opened.find_element("id", "find").send_keys("odd")
    assert shown(opened) == ["case 7"]
    opened.find_element("id", "find").send_keys("xyz")
    assert shown(opened) == [] and opened.find_element("id", "none").is_displayed()


@pytest.mark.browser
def test_marks_by_keyboard_and_mouse_stay_and_are_exported(opened: Any) -> None:
    def press(keys: str) -> None:
        opened.switch_to.active_element.send_keys(keys)

    press("j")  # case 3
    press("x")
    press("j")  # case 5
    press("r")
    press("n")
    press('cut off, "at the end"')
    press("\ue00c")  # Escape
    press("j")
    press("k")
    case = opened.find_element("css selector", ".case.here")
    assert case.get_attribute("data-name") == "case 5" and case.get_attribute("data-mark") == "redo"
    good = opened.find_elements("css selector", "[data-name='case 0'] [data-mark=good]")[0]
    opened.execute_script("arguments[0].click()", good)
    opened.refresh()
    assert opened.find_element("css selector", "[data-name='case 0']").get_attribute("data-mark") == "good"
    choose(opened, "show", "redo")
    assert shown(opened) == ["case 5"]
    file = opened.saved / "marks.csv"
    file.unlink(missing_ok=True)
    opened.find_element("id", "export").click()
    deadline = time.monotonic() + 20
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    rows = {row["case"]: row for row in csv.DictReader(file.open(encoding="utf-8"))}
    assert list(rows) == [f"case {n}" for n in range(12)]
    assert rows["case 5"] == {"case": "case 5", "mark": "redo", "note": 'cut off, "at the end"'}
    assert (rows["case 3"]["mark"], rows["case 0"]["mark"], rows["case 1"]["mark"]) == ("exclude", "good", "")


@pytest.mark.browser
def test_outlines_points_and_words_from_outside(opened: Any) -> None:
    path = opened.find_element("css selector", ".cuts path")
    assert path.value_of_css_property("display") != "none"
    opened.find_element("id", "outlines").click()
    assert path.value_of_css_property("display") == "none"
    opened.execute_script("document.querySelector('circle[data-case=\"5\"]').dispatchEvent(new Event('click'))")
    assert opened.find_element("css selector", ".case.here").get_attribute("data-name") == "case 5"
    assert "3.nii.gz is <cut> off." in opened.find_element("css selector", "[data-name='case 3'] .nothing").text
    assert not [entry for entry in opened.get_log("browser") if entry["level"] == "SEVERE"]


@pytest.mark.browser
def test_light_and_dark_are_readable(opened: Any) -> None:
    def contrast() -> float:
        script = (
            "const s = getComputedStyle(document.querySelector('.said'));"
            "const b = getComputedStyle(document.querySelector('.case'));"
            "return [s.color, b.backgroundColor].map(c => c.match(/\\d+/g).map(Number).reduce((x, y) => x + y))"
        )
        ink, ground = opened.execute_script(script)
        return ink - ground

    for scheme, sign in (("light", -1), ("dark", 1)):
        features = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", features)
        assert sign * contrast() > 400
