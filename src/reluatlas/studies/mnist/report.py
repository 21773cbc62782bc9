"""How is the MNIST study told? One page, drawn from the files of the run alone, with the paper's tables beside ours."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from statistics import fmean
from string import Template
from typing import TYPE_CHECKING

from reluatlas import report as page_files
from reluatlas._version import __version__
from reluatlas.storage.atomic import whole_file
from reluatlas.studies.mnist import figures, published, tables
from reluatlas.studies.mnist.networks import RECIPES
from reluatlas.studies.mnist.steps import TRAINING
from reluatlas.studies.mnist.tables import Facts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = "report.html"
_STYLE = """
td small { color: var(--soft); display: block; }
td.own { color: var(--soft); }
figure + figure { margin-top: 1rem; }
td.n, td.name, td small { white-space: nowrap; }
figure img { max-height: none; }
""".strip()
_SHOWN_CLASS = 7
_NBSP = "\u00a0"


def draw_report(folder: Path) -> Path:
    """Write tables, figures and the page of a run from its files; return the page.

    Raises
    ------
    ResultFileError
        When a file of the run is missing or damaged.

    Guarantees: every number on the page is read from a file in the folder; nothing is computed but means over seeds,
    percentages and differences from the paper. The page loads nothing from anywhere.
    """
    found = tables.numbers(folder)
    tables.write_tables(folder, found)
    head = found["study"]
    names = ", ".join(head["titles"][n] for n in head["networks"])
    body = [
        _section("Networks", _networks(found)),
        _section("How long affine maps take", _taken(found)) if found["maps-taken"] else "",
        _section("Affine maps in use", _regions(found)),
        _section("What the maps look like", _pictures(found, folder)),
        _section("Maps of one network turned into those of another", _similarity(found, folder))
        if found["similarity"] else "",
        _section("Fewer maps", _reduction(found, folder)),
        _section("Models that stand alone", _standalone(found, folder)),
        _section("How it was made", _made(found)),
    ]  # fmt: skip
    here = Path(page_files.__file__)
    text = Template(here.with_name("page.html").read_text(encoding="utf-8")).substitute(
        title=escape(f"{head['data']}: networks as sets of affine maps"),
        style=here.with_name("page.css").read_text(encoding="utf-8") + _STYLE,
        version=escape(__version__),
        subject=escape(
            f"{names}; {_several(head['seeds'], 'seed')}; {head['n_train']:,} training and {head['n_test']:,} test "
            f"images of {head['side']} x {head['side']} pixels."
        ),
        intro=_intro(found),
        body="\n".join(part for part in body if part),
    )
    target = folder / PAGE
    with whole_file(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return target


def _intro(found: Facts) -> str:
    if found["study"].get("is_trial"):
        text = "A trial on few images or epochs: it shows that all works; its numbers say nothing of the networks."
    elif tables.has_paper(found):
        text = f"In tables: ours, then the paper's and the difference in points. The paper: {published.SOURCE}."
    else:
        text = f"The paper ({published.SOURCE}) has no numbers on this data set: run the study with MNIST to compare."
    said = "".join(f"<li>{escape(line.replace(' %', _NBSP + '%'))}</li>" for line in tables.main_numbers(found))
    return f"<p>{escape(text)}</p><ul>{said}</ul>"


def _networks(found: Facts) -> str:
    head = found["study"]
    seeds = head["seeds"] if len(head["seeds"]) > 1 else []
    columns = ["network", "architecture", "training", *(f"seed {s}" for s in seeds), "mean, %" if seeds else "right, %"]
    rows = []
    for name in head["networks"]:
        r = head["recipes"][name]
        falls = ", falling to 0" if r["falls"] else ""
        how = (
            f"SGD, lr {r['learning_rate']:g}{falls}, momentum {r['momentum']:g}, weight decay {r['weight_decay']:g}, "
            f"batch {r['batch']}, {r['epochs']} epochs"
        )
        values, theirs = tables.accuracies(found, name), tables.percent(published.ACCURACY.get(name))
        rows.append([
            _cell(head["titles"][name]), _cell(head["architectures"][name], "t"), _cell(how, "t"),
            *(_cell(f"{v:.2f}") for v in values if seeds), _beside(found, values, theirs),
        ])  # fmt: skip
    seconds = [f.get("training_seconds") for f in found["networks"]]
    took = f" Training: {sum(seconds):,.0f} s, the sum over the networks, each on one thread." if all(seconds) else ""
    return _table(columns, rows) + _note("Right, in % of the test images, which training never sees." + took)


def _taken(found: Facts) -> str:
    columns = ["network", "seed", "training images", "s", "ms per image", "test images", "s", "ms per image"]
    rows = []
    for f in found["maps-taken"]:
        cells = [_cell(f["title"]), _cell(str(f["seed"]))]
        for part in ("train", "test"):
            theirs = published.MAP_SECONDS.get(f["name"]) if part == "train" and tables.has_paper(found) else None
            paper = "" if theirs is None else f"<small>paper {theirs:,}</small>"
            how = "<small>as factors</small>" if f[part]["is_factored"] else ""
            cells += [
                f'<td class="n">{f[part]["n_images"]:,}{how}</td>',
                f'<td class="n">{f[part]["seconds"]:,.1f}{paper}</td>',
                _cell(f"{tables.ms_per_image(f[part]):.3g}"),
            ]
        rows.append(cells)
    theirs = " and ".join(f"{s:,} s ({RECIPES[n].title})" for n, s in published.MAP_SECONDS.items())
    paper = f" In the paper, one training image at a time on a GPU: {theirs}." if tables.has_paper(found) else ""
    return _table(columns, rows) + _note(
        "Wall time of the affine maps of all ten classes, written to a file in float32. As factors: with one hidden "
        "layer a map is a pattern times fixed rows, and only patterns are kept." + paper
    )


def _regions(found: Facts) -> str:
    columns = ["network", "seed", "different patterns", "different maps", "those within 0.001 as one",
               "images that share a map", "patterns of the training images", "neurons", "max windows"]  # fmt: skip
    rows = []
    for f in found["regions"]:
        theirs = published.MAPS_IN_USE.get(f["name"]) if tables.has_paper(found) else None
        near = f"{f['n_near']:,}" + ("" if theirs is None else f"<small>paper {theirs:,}</small>")
        seen = "" if f["n_train_patterns"] is None else f"{f['n_train_patterns']:,} of {f['n_train']:,}"
        exact = "" if f["is_exact"] or f["n_maps"] is None else "<small>float64</small>"
        rows.append([
            _cell(f["title"]), _cell(str(f["seed"])), _cell(_count(f["n_patterns"])),
            f'<td class="n">{_count(f["n_maps"])}{exact}</td>', f'<td class="n">{near}</td>',
            _cell(_count(f["n_sharing"])),
            _cell(seen), _cell(f"{f['n_neurons']:,}"),
            _cell(f"{f['n_windows']:,}"),
        ])  # fmt: skip
    return _table(columns, rows) + _note(
        f"On the {found['study']['n_test']:,} test images. Patterns and maps are told apart exactly: where float64 "
        "leaves it open whether two maps are equal, they are compared as integers. The paper counts maps as one when "
        "they are within 0.001 in Euclidean norm."
    )


def _pictures(found: Facts, folder: Path) -> str:
    own = _save(lambda: figures.own_images(found, folder), folder / "figures" / "own-class")
    one = _save(lambda: figures.region_images(found, folder, _SHOWN_CLASS), folder / "figures" / "region-images")
    return (
        _figure(one, f"All classes at one image, the first {_SHOWN_CLASS} of the test set",
                "The weights of each class's affine map at this image. White is 0, red positive, blue negative; the "
                "scale of a row is its own.")
        + _figure(own, "Each class at an image of its own",
                  "At the first test image of each class, the weights of that class's output.")
    )  # fmt: skip


def _similarity(found: Facts, folder: Path) -> str:
    names, titles = found["study"]["networks"], found["study"]["titles"]
    out = []
    for bias in tables.BIASES:
        rows = []
        for f in names:
            cells = [_cell(titles[f])]
            for g in names:
                values = tables.mapped(found, f, g, bias)
                cells.append(_beside(found, values, tables.percent(published.similarity(f, g, bias)), is_own=f == g))
            rows.append(cells)
        out.append(f"<h3>Bias {bias}</h3>" + _table(["from \\ to", *(titles[n] for n in names)], rows))
    out.append(_note(
        "Right, in % of the test images. For each class, one matrix takes the maps of the network of the row to those "
        "of the network of the column: least squares on the training images, without intercept. Bias not mapped: the "
        "weights alone, scored by their product with the image. Bias mapped: the constant too, scored with (image, 1). "
        "On the diagonal the networks themselves."
    ))  # fmt: skip
    n = found["study"]["n_test"]
    rows = []
    for f in names:
        for g in names:
            for bias in tables.BIASES if f != g else ():
                p = tables.pairs(found, f, g, bias)
                r2 = [_cell(_from_to(tables.r2_of(p, which))) for which in tables.R2_KINDS]
                shares = [
                    [100 * q["ridge"]["n_correct"] / n for q in p if q["ridge"]],
                    [100 * q["chance"]["any"]["n_correct"] / n for q in p if "any" in q["chance"]],
                    [100 * q["chance"]["label"]["n_correct"] / n for q in p if "label" in q["chance"]],
                    [100 * q["least_squares"]["agreement"] for q in p],
                    [100 * q["predictions_agree"] for q in p],
                ]
                rows.append([
                    _cell(f"{titles[f]} to {titles[g]}", "name"), _cell(bias), *r2,
                    *(_cell("" if not s else f"{fmean(s):.2f}") for s in shares),
                    _cell(f"{fmean(tables.cka_of(p)):.2f}" if tables.cka_of(p) else ""),
                ])  # fmt: skip
    paper = "".join(
        f" The paper's, from {titles[f]} to {titles[g]}: about {_from_to(span)}; which of these it is we do not know."
        for (f, g), span in published.R2.items() if tables.has_paper(found) and f in names and g in names
    )  # fmt: skip
    columns = [
        "pair", "bias", "R², coordinates alike", "R², by variance", "R², no means", "right with ridge, %",
        "right by chance, %", "by chance within classes, %", "mapped agrees with target, %", "networks agree, %", "CKA",
    ]  # fmt: skip
    out.append("<h3>What tells more</h3>" + _table(columns, rows))
    out.append(_note(
        "R² on the test images, smallest to largest of the classes: averaged over the coordinates, each alike (weights "
        "of pixels at the border, which hardly vary, are met worst and pull this down); each in proportion to its "
        f"variance; and as the share of the sum of squares, no means taken off.{paper} Ridge: the penalty chosen on "
        "training images held back. Chance: the matrix fitted to maps at images paired at random, all or within a "
        "class. CKA: linear centered kernel alignment of the maps at the training images, mean over the classes."
    ))  # fmt: skip
    drawn = _save(lambda: figures.ranks(found), folder / "figures" / "ranks")
    out.append(_figure(drawn, "How many dimensions the correspondence needs",
                       "Bias mapped; for each rank the best mapping of that rank."))  # fmt: skip
    return "\n".join(out)


def _reduction(found: Facts, folder: Path) -> str:
    names, titles = found["study"]["networks"], found["study"]["titles"]
    rows = [
        [_cell("all (the network)"),
         *(_beside(found, tables.accuracies(found, n), tables.percent(published.ACCURACY.get(n))) for n in names)]
    ]  # fmt: skip
    for k in tables.counts(found, "reduction"):
        for init in ("k-means++", "random"):
            values = [tables.fewer(found, n, k, init) for n in names]
            if all(values):
                label = f"{k:,}" if init == "k-means++" else f"{k:,}, random starts"
                theirs = [tables.percent(published.fewer(n, k)) for n in names]
                rows.append([_cell(label), *(_beside(found, v, t) for v, t in zip(values, theirs, strict=True))])
    lost = [row["largest_share_lost"] for f in found["reduction"] for row in f["rows"]]
    drawn = _save(lambda: figures.fewer_maps(found), folder / "figures" / "fewer-maps")
    return (
        _table(["centers per class", *(titles[n] for n in names)], rows)
        + _note(
            "Right, in % of the test images, when each class's map at an image is replaced by the nearest of k centers "
            "(mini-batch k-means on the maps at the training images, all numbers unscaled). The network still says "
            "which map holds at the image. Starts by k-means++ on a sample, and by random maps. The coordinates in "
            f"which distances are taken leave out at most {100 * max(lost):.2g} % of the variance. With one center a "
            "class nothing is clustered, but the start of the training counts: for convolutions by several points."
        )
        + _figure(drawn, "Accuracy over the number of maps left",
                  "Bars: smallest and largest of the seeds. Dashed: the network itself.")
    )  # fmt: skip


def _standalone(found: Facts, folder: Path) -> str:
    head, n = found["study"], found["study"]["n_test"]
    columns = ["network", "pieces", "parameters", "right, %", "agrees with the network, %", "mean deviation",
               "largest deviation"]  # fmt: skip
    rows = []
    for name in head["networks"]:
        for k in tables.counts(found, "standalone"):
            r = tables.alone(found, name, k)
            right = [100 * row["n_right"] / n for row in r]
            rows.append([
                _cell(head["titles"][name]), _cell(f"{k:,}"), _cell(f"{fmean(row['n_parameters'] for row in r):,.0f}"),
                _cell(_range(right)), _cell(f"{100 * fmean(row['agreement'] for row in r):.2f}"),
                _cell(f"{fmean(row['mean_deviation'] for row in r):.2f}"),
                _cell(f"{max(row['largest_deviation'] for row in r):.1f}"),
            ])  # fmt: skip
    drawn = _save(lambda: figures.standing_alone(found), folder / "figures" / "standing-alone")
    return (
        _table(columns, rows)
        + _note(
            "Affine pieces and a gate that picks one, joint over the classes, fitted to the network's outputs at the "
            "training images and at shifted copies of them; the network is not needed afterwards. The models are in "
            "the folder models. A deviation is the largest difference of an output at an image, in output units."
        )
        + _figure(drawn, "Accuracy of models that stand alone", "Dashed and stars: the networks themselves.")
    )


def _made(found: Facts) -> str:
    head = found["study"]
    m = head["machine"]
    versions = ", ".join(f"{k} {v}" for k, v in m.items() if k not in ("processor", "cores"))
    total = sum(v for k, v in found["seconds"].items() if k != TRAINING)
    training = found["seconds"].get(TRAINING)
    trained = "" if training is None else f"Training took {training:,.0f} s, the rest {total:,.0f} s. "
    trained = trained or f"Steps without training took {total:,.0f} s. "
    rows = [[_cell(k), _cell(f"{v:,.1f}")] for k, v in found["seconds"].items()]
    return (
        f"<p>{escape(m['processor'])}, {m['cores']} cores, device {escape(head['device'])}; {escape(versions)}; "
        f"data SHA-256 <code>{escape(head['data_digest'][:16])}…</code>. {trained}"
        "Tables as CSV: the folder tables; numbers as JSON: the folders named for the steps.</p>"
        f"<details><summary>Seconds of each step</summary>{_table(['step', 's'], rows)}</details>"
    )


def _beside(found: Facts, values: Sequence[float], theirs: float | None, *, is_own: bool = False) -> str:
    known = theirs if tables.has_paper(found) else None
    small = "" if known is None else f"<small>{known:.2f}, {fmean(values) - known:+.2f}</small>"
    return f'<td class="n{" own" if is_own else ""}">{_range(values)}{small}</td>'


def _range(values: Sequence[float]) -> str:
    mean = f"{fmean(values):.2f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.2f} to {max(values):.2f})"


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _from_to(values: Sequence[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f}" if values else ""


def _several(items: Sequence[int], noun: str) -> str:
    return f"{noun} {items[0]}" if len(items) == 1 else f"{noun}s {items[0]} to {items[-1]}"


def _cell(text: str, kind: str = "n") -> str:
    return f'<td class="{kind}">{escape(text)}</td>'


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    is_text = [i == 0 or rows[0][i].startswith('<td class="t"') for i in range(len(columns))]
    head = "".join(f'<th class="{"" if t else "n"}">{escape(c)}</th>' for c, t in zip(columns, is_text, strict=True))
    lines = "\n".join("<tr>" + row[0].replace('"n"', '"name"', 1) + "".join(row[1:]) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>\n{lines}\n</tbody></table></div>'


def _note(text: str) -> str:
    return f'<p class="soft">{escape(text)}</p>'


def _section(title: str, inside: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n{inside}\n</section>"


def _figure(address: str, title: str, caption: str) -> str:
    return (
        f'<figure class="wide"><h3>{escape(title)}</h3><img alt="{escape(title)}" src="{address}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _save(draw: Callable[[], Figure], stem: Path) -> str:
    """Write a figure as SVG and PNG; return the PNG as a data address."""
    import matplotlib

    stem.parent.mkdir(parents=True, exist_ok=True)
    vector, raster = io.BytesIO(), io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "reluatlas", "savefig.facecolor": "white"}):
        drawn = draw()
        drawn.savefig(vector, format="svg", metadata={"Date": None, "Creator": None})
        drawn.savefig(raster, format="png", dpi=140, metadata={"Software": None})
    for ending, data in ((".svg", vector.getvalue()), (".png", raster.getvalue())):
        with whole_file(stem.with_suffix(ending)) as temporary:
            temporary.write_bytes(data)
    return "data:image/png;base64," + base64.b64encode(raster.getvalue()).decode()
