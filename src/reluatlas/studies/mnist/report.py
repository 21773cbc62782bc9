"""How is the MNIST study told? One page, drawn from the files of the run alone, with the paper's tables beside ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from reluatlas.report import parts
from reluatlas.report.figure_files import write_figure
from reluatlas.report.parts import Cell
from reluatlas.report.parts import Figure as Framed
from reluatlas.storage.atomic import whole_file
from reluatlas.studies.mnist import figures, published, tables
from reluatlas.studies.mnist.networks import RECIPES
from reluatlas.studies.mnist.steps import TRAINING
from reluatlas.studies.mnist.tables import Facts

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

PAGE = "report.html"
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
        parts.section("Networks", *_networks(found)),
        parts.section("How long affine maps take", *_taken(found)) if found["maps-taken"] else "",
        parts.section("Affine maps in use", *_regions(found)),
        parts.section("What the maps look like", _pictures(found, folder)),
        parts.section("Maps of one network turned into those of another", *_similarity(found, folder))
        if found["similarity"] else "",
        parts.section("Maps matched one to one, without their images", *_matching(found)) if found["matching"] else "",
        parts.section("Fewer maps", *_reduction(found, folder)),
        parts.section("Models that stand alone", *_standalone(found, folder)),
        parts.section("How it was made", *_made(found)),
    ]  # fmt: skip
    text = parts.whole_page(
        f"{head['data']}: networks as sets of affine maps",
        f"{names}; {_several(head['seeds'], 'seed')}; {head['n_train']:,} training and {head['n_test']:,} test images "
        f"of {head['side']} x {head['side']} pixels.",
        body,
        intro=_intro(found),
    )
    target = folder / PAGE
    with whole_file(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return target


def _intro(found: Facts) -> Markup:
    if found["study"].get("is_trial"):
        text = "A trial on few images or epochs: it shows that all works; its numbers say nothing of the networks."
    elif tables.has_paper(found):
        text = f"In tables: ours, then the paper's and the difference in points. The paper: {published.SOURCE}."
    else:
        text = f"The paper ({published.SOURCE}) has no numbers on this data set: run the study with MNIST to compare."
    said = [line.replace(" %", _NBSP + "%") for line in tables.main_numbers(found)]
    return parts.paragraph(text) + parts.bullets(said)


def _networks(found: Facts) -> tuple[Markup, Markup]:
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
            Cell(head["titles"][name]), Cell(head["architectures"][name], "t"), Cell(how, "t"),
            *(Cell(f"{v:.2f}") for v in values if seeds), _beside(found, values, theirs),
        ])  # fmt: skip
    seconds = [f.get("training_seconds") for f in found["networks"]]
    took = f" Training: {sum(seconds):,.0f} s, the sum over the networks, each on one thread." if all(seconds) else ""
    return _table(columns, rows), parts.note("Right, in % of the test images, which training never sees." + took)


def _taken(found: Facts) -> tuple[Markup, Markup]:
    columns = ["network", "seed", "training images", "s", "ms per image", "test images", "s", "ms per image"]
    rows = []
    for f in found["maps-taken"]:
        cells = [Cell(f["title"]), Cell(str(f["seed"]))]
        for part in ("train", "test"):
            theirs = published.MAP_SECONDS.get(f["name"]) if part == "train" and tables.has_paper(found) else None
            paper = "" if theirs is None else f"paper {theirs:,}"
            cells += [
                Cell(f"{f[part]['n_images']:,}", "n", "as factors" if f[part]["is_factored"] else ""),
                Cell(f"{f[part]['seconds']:,.1f}", "n", paper),
                Cell(f"{tables.ms_per_image(f[part]):.3g}"),
            ]
        rows.append(cells)
    theirs = " and ".join(f"{s:,} s ({RECIPES[n].title})" for n, s in published.MAP_SECONDS.items())
    paper = f" In the paper, one training image at a time on a GPU: {theirs}." if tables.has_paper(found) else ""
    return _table(columns, rows), parts.note(
        "Wall time of the affine maps of all ten classes, written to a file in float32. As factors: with one hidden "
        "layer a map is a pattern times fixed rows, and only patterns are kept." + paper
    )


def _regions(found: Facts) -> tuple[Markup, Markup]:
    columns = ["network", "seed", "different patterns", "different maps", "those within 0.001 as one",
               "images that share a map", "patterns of the training images", "neurons", "max windows"]  # fmt: skip
    rows = []
    for f in found["regions"]:
        theirs = published.MAPS_IN_USE.get(f["name"]) if tables.has_paper(found) else None
        seen = "" if f["n_train_patterns"] is None else f"{f['n_train_patterns']:,} of {f['n_train']:,}"
        exact = "" if f["is_exact"] or f["n_maps"] is None else "float64"
        rows.append([
            Cell(f["title"]), Cell(str(f["seed"])), Cell(_count(f["n_patterns"])),
            Cell(_count(f["n_maps"]), "n", exact),
            Cell(f"{f['n_near']:,}", "n", "" if theirs is None else f"paper {theirs:,}"),
            Cell(_count(f["n_sharing"])),
            Cell(seen), Cell(f"{f['n_neurons']:,}"),
            Cell(f"{f['n_windows']:,}"),
        ])  # fmt: skip
    return _table(columns, rows), parts.note(
        f"On the {found['study']['n_test']:,} test images. Patterns and maps are told apart exactly: where float64 "
        "leaves it open whether two maps are equal, they are compared as integers. The paper counts maps as one when "
        "they are within 0.001 in Euclidean norm."
    )


def _pictures(found: Facts, folder: Path) -> Markup:
    own = _save(lambda: figures.own_images(found, folder), folder / "figures" / "own-class")
    one = _save(lambda: figures.region_images(found, folder, _SHOWN_CLASS), folder / "figures" / "region-images")
    return parts.figures([
        Framed(f"All classes at one image, the first {_SHOWN_CLASS} of the test set", one,
               "The weights of each class's affine map at this image. White is 0, red positive, blue negative; the "
               "scale of a row is its own."),
        Framed("Each class at an image of its own", own,
               "At the first test image of each class, the weights of that class's output."),
    ])  # fmt: skip


def _similarity(found: Facts, folder: Path) -> list[Markup]:
    names, titles = found["study"]["networks"], found["study"]["titles"]
    out: list[Markup] = []
    for bias in tables.BIASES:
        rows = []
        for f in names:
            cells = [Cell(titles[f])]
            for g in names:
                values = tables.mapped(found, f, g, bias)
                cells.append(_beside(found, values, tables.percent(published.similarity(f, g, bias)), is_own=f == g))
            rows.append(cells)
        out += [parts.heading(f"Bias {bias}"), _table(["from \\ to", *(titles[n] for n in names)], rows)]
    out.append(parts.note(
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
                r2 = [Cell(_from_to(tables.r2_of(p, which))) for which in tables.R2_KINDS]
                shares = [
                    [100 * q["ridge"]["n_correct"] / n for q in p if q["ridge"]],
                    [100 * q["chance"]["any"]["n_correct"] / n for q in p if "any" in q["chance"]],
                    [100 * q["chance"]["label"]["n_correct"] / n for q in p if "label" in q["chance"]],
                    [100 * q["least_squares"]["agreement"] for q in p],
                    [100 * q["predictions_agree"] for q in p],
                ]
                rows.append([
                    Cell(f"{titles[f]} to {titles[g]}", "name"), Cell(bias), *r2,
                    *(Cell("" if not s else f"{fmean(s):.2f}") for s in shares),
                    Cell(f"{fmean(tables.cka_of(p)):.2f}" if tables.cka_of(p) else ""),
                ])  # fmt: skip
    paper = "".join(
        f" The paper's, from {titles[f]} to {titles[g]}: about {_from_to(span)}; which of these it is we do not know."
        for (f, g), span in published.R2.items() if tables.has_paper(found) and f in names and g in names
    )  # fmt: skip
    columns = [
        "pair", "bias", "R², coordinates alike", "R², by variance", "R², no means", "right with ridge, %",
        "right by chance, %", "by chance within classes, %", "mapped agrees with target, %", "networks agree, %", "CKA",
    ]  # fmt: skip
    out += [parts.heading("What tells more"), _table(columns, rows)]
    out.append(parts.note(
        "R² on the test images, smallest to largest of the classes: averaged over the coordinates, each alike (weights "
        "of pixels at the border, which hardly vary, are met worst and pull this down); each in proportion to its "
        f"variance; and as the share of the sum of squares, no means taken off.{paper} Ridge: the penalty chosen on "
        "training images held back. Chance: the matrix fitted to maps at images paired at random, all or within a "
        "class. CKA: linear centered kernel alignment of the maps at the training images, mean over the classes."
    ))  # fmt: skip
    drawn = _save(lambda: figures.ranks(found), folder / "figures" / "ranks")
    caption = "Bias mapped; for each rank the best mapping of that rank."
    out.append(parts.figures([Framed("How many dimensions the correspondence needs", drawn, caption)]))
    return out


def _matching(found: Facts) -> tuple[Markup, Markup]:
    names, titles = found["study"]["networks"], found["study"]["titles"]
    rows = []
    for f in names:
        for g in names:
            for bias in tables.BIASES if f != g else ():
                each = tables.matchings(found, f, g, bias)
                cells = [
                    Cell(_range([row[measure] for row in each]))
                    for measure in ("right", "chance", "same_label", "same_image")
                ]
                rows.append([Cell(f"{titles[f]} to {titles[g]}", "name"), Cell(bias), *cells])
    columns = ["pair", "bias", "right, %", "right by chance, %", "partners of one label, %", "partners at one image, %"]
    n = found["matching"][0]["n_images"]
    return _table(columns, rows), parts.note(
        f"At the first {n:,} test images. For each class the maps of both networks are matched one to one, such that "
        "the sum of squared distances is least; nothing says which map is at which image. Each image then takes the "
        "maps that its own are matched with, scored as above. Chance: partners drawn at random. The paper's authors "
        "tried such matchings, and have no numbers of them."
    )


def _reduction(found: Facts, folder: Path) -> tuple[Markup, ...]:
    names, titles = found["study"]["networks"], found["study"]["titles"]
    rows = [
        [Cell("all (the network)"),
         *(_beside(found, tables.accuracies(found, n), tables.percent(published.ACCURACY.get(n))) for n in names)]
    ]  # fmt: skip
    for k in tables.counts(found, "reduction"):
        for init in ("k-means++", "random"):
            values = [tables.fewer(found, n, k, init) for n in names]
            if all(values):
                label = f"{k:,}" if init == "k-means++" else f"{k:,}, random starts"
                theirs = [tables.percent(published.fewer(n, k)) for n in names]
                rows.append([Cell(label), *(_beside(found, v, t) for v, t in zip(values, theirs, strict=True))])
    lost = [row["largest_share_lost"] for f in found["reduction"] for row in f["rows"]]
    drawn = _save(lambda: figures.fewer_maps(found), folder / "figures" / "fewer-maps")
    return (
        _table(["centers per class", *(titles[n] for n in names)], rows),
        parts.note(
            "Right, in % of the test images, when each class's map at an image is replaced by the nearest of k centers "
            "(mini-batch k-means on the maps at the training images, all numbers unscaled). The network still says "
            "which map holds at the image. Starts by k-means++ on a sample, and by random maps. The coordinates in "
            f"which distances are taken leave out at most {100 * max(lost):.2g} % of the variance. With one center a "
            "class nothing is clustered, but the start of the training counts: for convolutions by several points."
        ),
        parts.figures([Framed("Accuracy over the number of maps left", drawn,
                              "Bars: smallest and largest of the seeds. Dashed: the network itself.")]),
    )  # fmt: skip


def _standalone(found: Facts, folder: Path) -> tuple[Markup, ...]:
    head, n = found["study"], found["study"]["n_test"]
    columns = ["network", "pieces", "parameters", "right, %", "agrees with the network, %", "mean deviation",
               "largest deviation"]  # fmt: skip
    rows = []
    for name in head["networks"]:
        for k in tables.counts(found, "standalone"):
            r = tables.alone(found, name, k)
            right = [100 * row["n_right"] / n for row in r]
            rows.append([
                Cell(head["titles"][name]), Cell(f"{k:,}"), Cell(f"{fmean(row['n_parameters'] for row in r):,.0f}"),
                Cell(_range(right)), Cell(f"{100 * fmean(row['agreement'] for row in r):.2f}"),
                Cell(f"{fmean(row['mean_deviation'] for row in r):.2f}"),
                Cell(f"{max(row['largest_deviation'] for row in r):.1f}"),
            ])  # fmt: skip
    drawn = _save(lambda: figures.standing_alone(found), folder / "figures" / "standing-alone")
    return (
        _table(columns, rows),
        parts.note(
            "Affine pieces and a gate that picks one, joint over the classes, fitted to the network's outputs at the "
            "training images and at shifted copies of them; the network is not needed afterwards. The models are in "
            "the folder models. A deviation is the largest difference of an output at an image, in output units."
        ),
        parts.figures(
            [Framed("Accuracy of models that stand alone", drawn, "Dashed and stars: the networks themselves.")]
        ),
    )


def _made(found: Facts) -> tuple[Markup, Markup]:
    head = found["study"]
    m = head["machine"]
    versions = ", ".join(f"{k} {v}" for k, v in m.items() if k not in ("processor", "cores"))
    total = sum(v for k, v in found["seconds"].items() if k != TRAINING)
    training = found["seconds"].get(TRAINING)
    trained = "" if training is None else f"Training took {training:,.0f} s, the rest {total:,.0f} s. "
    trained = trained or f"Steps without training took {total:,.0f} s. "
    rows = [[Cell(k), Cell(f"{v:,.1f}")] for k, v in found["seconds"].items()]
    return (
        parts.paragraph(
            f"{m['processor']}, {m['cores']} cores, device {head['device']}; {versions}; data SHA-256 "
            f"`{head['data_digest'][:16]}…`. {trained}Tables as CSV: the folder tables; numbers as JSON: the folders "
            "named for the steps."
        ),
        parts.folded("Seconds of each step", _table(["step", "s"], rows)),
    )


def _beside(found: Facts, values: Sequence[float], theirs: float | None, *, is_own: bool = False) -> Cell:
    known = theirs if tables.has_paper(found) else None
    small = "" if known is None else f"{known:.2f}, {fmean(values) - known:+.2f}"
    return Cell(_range(values), "n own" if is_own else "n", small)


def _range(values: Sequence[float]) -> str:
    mean = f"{fmean(values):.2f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.2f} to {max(values):.2f})"


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _from_to(values: Sequence[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f}" if values else ""


def _several(items: Sequence[int], noun: str) -> str:
    return f"{noun} {items[0]}" if len(items) == 1 else f"{noun}s {items[0]} to {items[-1]}"


def _table(names: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Markup:
    """Return a table of numbers under names; the first column holds names, and others may hold texts."""
    head = [Cell(c, "" if i == 0 or rows[0][i].kind == "t" else "n") for i, c in enumerate(names)]
    told = [[Cell(c.text, c.kind or ("n" if i else "name"), c.small) for i, c in enumerate(row)] for row in rows]
    return parts.columns(head, told)


def _save(draw: Callable[[], Figure], stem: Path) -> str:
    """Write a figure in both formats; return the PNG as a data address."""
    png, _ = write_figure(draw, stem, dpi=140)
    return parts.data_address("png", png)
