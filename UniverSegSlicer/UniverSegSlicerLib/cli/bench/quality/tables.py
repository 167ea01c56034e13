"""From raw numbers to tables in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from .confidence import expected_calibration_error
from .methods import BASELINES, TITLES
from .record import Bin, Extra, Score

Mean = Callable[[Sequence[Score], Callable[[Score], float]], float]


_WHERE = {"even": "evenly spaced", "uneven": "ever wider apart", "one end": "all in the quarter at one end"}


def over_cases(scores: Sequence[Score], value: Callable[[Score], float]) -> float:
    """Mean over volumes and labels."""
    return float(np.mean([value(s) for s in scores])) if scores else float("nan")


def over_datasets(scores: Sequence[Score], value: Callable[[Score], float]) -> float:
    """Mean over the data sets of their means over volumes and labels: a set of many volumes counts as one."""
    groups: dict[str, list[float]] = {}
    for score in scores:
        groups.setdefault(score.dataset, []).append(value(score))
    return float(np.mean([np.mean(group) for group in groups.values()])) if groups else float("nan")


def median_over_cases(scores: Sequence[Score], value: Callable[[Score], float]) -> float:
    """Median over volumes and labels; it bears infinite distances."""
    return float(np.percentile([value(s) for s in scores], 50, method="lower")) if scores else float("nan")


def comparable(scores: Iterable[Score]) -> list[Score]:
    """Only cases that every method was measured on, among those that were run with the marks placed alike."""
    scores = list(scores)
    methods: dict[str, set[str]] = {}
    seen: dict[tuple[object, ...], set[str]] = {}
    for s in scores:
        methods.setdefault(s.placement, set()).add(s.method)
        seen.setdefault(s.place, set()).add(s.method)
    return [s for s in scores if seen[s.place] == methods[s.placement]]


def quality_report(
    scores: Sequence[Score], bins: Sequence[Bin], extras: Sequence[Extra], model: str, plots: Sequence[tuple[str, str]]
) -> str:
    """All tables as one Markdown text.

    Args:
        scores: Rows of one run; only cases that all methods share are counted.
        bins: Of the confidence.
        extras: Of the suggestions.
        model: The network, for the heading.
        plots: Title and file name of pictures to show.
    """
    scores = comparable(scores)
    lines = [f"Model: {model}.", ""]
    for placement in dict.fromkeys(s.placement for s in scores):
        part = [s for s in scores if s.placement == placement]
        counts = sorted({s.marks for s in part})
        numbers = ", ".join(f"{_number_of_cases(part, n)} with {n} marks" for n in counts)
        where = _WHERE[placement]
        lines += [f"## Marks {where}", "", f"Volumes and labels: {numbers}.", ""]
        lines += ["Dice on the unmarked slices, mean over volumes and labels:", ""]
        lines += method_table(part, over_cases, lambda s: s.dice)
        lines += ["", "The same, mean over data sets of their means:", ""]
        lines += method_table(part, over_datasets, lambda s: s.dice)
        lines += ["", "Error (1 - Dice) of UniverSegSlicer as a share of that of the best baseline:", ""]
        lines += share_table(part)
        lines += ["", "Surface Dice within one voxel, mean over volumes and labels:", ""]
        lines += method_table(part, over_cases, lambda s: s.surface_dice)
        lines += ["", "95 % Hausdorff distance in mm, median over volumes and labels:", ""]
        lines += method_table(part, median_over_cases, lambda s: s.hd95_mm, "{:.1f}")
        lines += ["", "Dice by data set, UniverSegSlicer / best baseline of each:", ""]
        lines += dataset_table(part)
        lines += [""]
    lines += confidence_section(bins) + suggestion_section(extras)
    lines += [line for title, name in plots for line in (f"![{title}]({name})", "")]
    return "\n".join(lines).rstrip() + "\n"


def method_table(
    scores: Sequence[Score], mean: Mean, value: Callable[[Score], float], form: str = "{:.3f}"
) -> list[str]:
    """Methods by numbers of marks, in the order of the titles, then the others."""
    counts = sorted({s.marks for s in scores})
    present = {s.method for s in scores}
    order = [m for m in TITLES if m in present] + sorted(present - set(TITLES))
    rows = [[TITLES.get(m, m)] + [_cell(form, mean(_of(scores, m, n), value)) for n in counts] for m in order]
    return _table(["method", *[_marks(n) for n in counts]], rows)


def share_table(scores: Sequence[Score]) -> list[str]:
    """For every number of marks: the best baseline, and our error as a share of its error, both kinds of mean."""
    rows = []
    for count in sorted({s.marks for s in scores}):
        row = [_marks(count)]
        for mean in (over_cases, over_datasets):
            best, ours = best_baseline(scores, count, mean), mean(_of(scores, "default", count), lambda s: s.dice)
            if best is None or not np.isfinite(ours):
                row += ["-", "-"]
                continue
            row += [f"{TITLES[best[0]]} ({best[1]:.3f})", f"{(1 - ours) / (1 - best[1]):.2f}"]
        rows.append(row)
    return _table(
        ["marks", "best baseline over cases", "share of its error", "best over data sets", "share of its error "], rows
    )


def best_baseline(scores: Sequence[Score], count: int, mean: Mean) -> tuple[str, float] | None:
    """The baseline of the highest mean Dice, and that mean."""
    means = {m: mean(_of(scores, m, count), lambda s: s.dice) for m in BASELINES}
    means = {m: value for m, value in means.items() if np.isfinite(value)}
    if not means:
        return None
    best = max(means, key=lambda m: means[m])
    return best, means[best]


def dataset_table(scores: Sequence[Score]) -> list[str]:
    """Our Dice and that of the best baseline of the data set, by numbers of marks."""
    counts = sorted({s.marks for s in scores})
    rows = []
    for dataset in sorted({s.dataset for s in scores}):
        own = [s for s in scores if s.dataset == dataset]
        row = [dataset, str(len({s.case for s in own}))]
        for count in counts:
            best = best_baseline(own, count, over_cases)
            ours = over_cases(_of(own, "default", count), lambda s: s.dice)
            row.append("-" if best is None or not np.isfinite(ours) else f"{ours:.3f} / {best[1]:.3f}")
        rows.append(row)
    return _table(["data set", "cases", *[_marks(n) for n in counts]], rows)


def confidence_section(bins: Sequence[Bin]) -> list[str]:
    """Expected calibration error by numbers of marks."""
    if not bins:
        return []
    counts = sorted({b.marks for b in bins})
    rows = [
        [
            _marks(n),
            str(len({b.key for b in bins if b.marks == n})),
            f"{expected_calibration_error([b for b in bins if b.marks == n]):.3f}",
        ]
        for n in counts
    ]
    return [
        "## Confidence",
        "",
        "Expected calibration error of the probability of each voxel, near the structure or the result, on unmarked "
        "slices; every case weighs the same:",
        "",
        *_table(["marks", "volumes and labels", "expected calibration error"], rows),
        "",
    ]


def suggestion_section(extras: Sequence[Extra]) -> list[str]:
    """Mean Dice before and after more marks, as suggested and evenly."""
    lines = []
    for start, extra in sorted({(e.start, e.extra) for e in extras}):
        some = [e for e in extras if (e.start, e.extra) == (start, extra)]
        rows = []
        for title, members in _groups(some):
            means = [float(np.mean([getattr(e, name) for e in members])) for name in ("before", "suggested", "even")]
            better = sum(e.suggested > e.even for e in members)
            rows.append([title, str(len(members)), *[f"{m:.3f}" for m in means], f"{better} of {len(members)}"])
        lines += [
            "## Which slice to mark next",
            "",
            f"Dice with {start} evenly marked slices and after {extra} more, on the slices unmarked in both ways. "
            "Evenly: in the middles of the longest unmarked stretches of the structure, whose ends are known:",
            "",
            *_table(["data set", "cases", "before", "as suggested", "evenly", "suggested is better"], rows),
            "",
            _difference([e.suggested - e.even for e in some]),
            "",
        ]
    return lines


def bootstrap_interval(values: Sequence[float], draws: int = 4000) -> tuple[float, float]:
    """95 % interval of the mean of some cases: percentiles of means of as many, drawn from them with repeats.

    The same values give the same interval.
    """
    rng = np.random.default_rng(0)
    means = rng.choice(np.asarray(values, float), (draws, len(values))).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def _difference(values: Sequence[float]) -> str:
    low, high = bootstrap_interval(values)
    return (
        f"As suggested less evenly, mean over {len(values)} cases: {np.mean(values):+.4f} (95 % of bootstrap samples "
        f"{low:+.4f} to {high:+.4f})."
    )


def _groups(extras: Sequence[Extra]) -> list[tuple[str, list[Extra]]]:
    names = sorted({e.dataset for e in extras})
    return [(n, [e for e in extras if e.dataset == n]) for n in names] + [("all", list(extras))]


def _of(scores: Sequence[Score], method: str, count: int) -> list[Score]:
    return [s for s in scores if s.method == method and s.marks == count]


def _number_of_cases(scores: Sequence[Score], count: int) -> int:
    return len({s.case for s in scores if s.marks == count})


def _marks(count: int) -> str:
    return f"{count} mark" if count == 1 else f"{count} marks"


def _cell(form: str, value: float) -> str:
    if np.isnan(value):
        return "-"
    return form.format(value) if np.isfinite(value) else "nothing found"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    marks = [" --- "] + [" ---: "] * (len(heads) - 1)
    return [f"| {' | '.join(heads)} |", f"|{'|'.join(marks)}|", *[f"| {' | '.join(row)} |" for row in rows]]
