"""What did the MNIST study find? Tables of its runs, and of what its centers depend on."""

from __future__ import annotations

from scripts.tables.words import Record, digits, made, table


def mnist_accuracy(record: Record) -> str:
    """Return the table of what networks of the MNIST study get right."""
    head = ["network", *(f"seed {s}" for s in record["seeds"]), "mean", "paper", "difference, points"]
    rows = []
    for row in record["rows"]:
        known = [100 * n / record["n_test"] for n in row["n_right"] if n is not None]
        mean, paper = sum(known) / len(known), row["paper_percent"]
        cells = ["not run" if n is None else f"{100 * n / record['n_test']:.2f} %" for n in row["n_right"]]
        beside = ["", ""] if paper is None else [f"{paper:.2f} %", f"{mean - paper:+.2f}"]
        rows.append([row["network"], *cells, f"{mean:.2f} %", *beside])
        if "n_right_with_one_map" in row:
            known = [100 * n / record["n_test"] for n in row["n_right_with_one_map"] if n is not None]
            cells = [
                "not run" if n is None else f"{100 * n / record['n_test']:.2f} %" for n in row["n_right_with_one_map"]
            ]
            mean, paper = sum(known) / len(known), row["paper_with_one_map"]
            beside = ["", ""] if paper is None else [f"{paper:.2f} %", f"{mean - paper:+.2f}"]
            rows.append([f"{row['network']}, one map a class", *cells, f"{mean:.2f} %", *beside])
    return table(head, rows) + made(record)


def mnist_small(record: Record) -> str:
    """Return the tables of a run of the MNIST study with the small networks: their rows alone."""
    small = {name: title for name, title in record["titles"].items() if name.startswith("small")}
    rows = {
        "accuracy": lambda row: row["network"] in small,
        "maps_taken": lambda row: row["name"] in small,
        "regions": lambda row: row["name"] in small,
        "similarity": lambda row: row["from"] in small or row["to"] in small,
        "reduction": lambda row: row["network"] in small,
        "standalone": lambda row: row["network"] in small,
    }
    kept = {part: [row for row in record[part] if choose(row)] for part, choose in rows.items()}
    took = " and ".join(f"{row['training_seconds'][0]:,.0f} s ({small[row['network']]})" for row in kept["accuracy"])
    when = made(record).replace("\n", " ", 1)
    return _study_tables(record | kept) + f"\nTraining took {took}, each on one thread.{when}"


def mnist_study(record: Record) -> str:
    """Return the tables of a run of the MNIST study, the paper's numbers and the differences in points beside."""
    training = record["seconds"].get("training")
    rest = sum(v for k, v in record["seconds"].items() if k != "training")
    took = f"Training took {training:,.0f} s, the rest" if training is not None else "Without training it took"
    return _study_tables(record) + f"\n{took} {rest:,.0f} s." + made(record).replace("\n", " ", 1)


def _study_tables(record: Record) -> str:
    n, titles = record["n_test"], record["titles"]

    def percent(counts: list[int]) -> str:
        return f"{100 * sum(counts) / len(counts) / n:.2f}" if counts else ""

    def beside(counts: list[int], paper: int | None) -> list[str]:
        if paper is None:
            return [percent(counts), "", ""]
        return [percent(counts), f"{paper / 100:.2f}", f"{100 * sum(counts) / len(counts) / n - paper / 100:+.2f}"]

    def span(values: list[float] | None) -> str:
        return "" if values is None else f"{values[0]:.2f} to {values[1]:.2f}"

    three = ["right, %", "paper", "difference, points"]
    rows = [[titles[row["network"]], *beside(row["n_right"], row["paper"])] for row in record["accuracy"]]
    text = "*Networks.*\n\n" + table(["network", *three], rows)
    if record["maps_taken"]:
        rows = [
            [
                f["title"], f"{f['seed']}",
                *(v for part in (f["train"], f["test"])
                  for v in (f"{part['seconds']:,.1f}", digits(1000 * part["seconds"] / part["n_images"]))),
                "factors" if f["train"]["is_factored"] else "all numbers",
            ]
            for f in record["maps_taken"]
        ]  # fmt: skip
        head = ["network", "seed", "training images, s", "ms per image", "test images, s", "ms per image", "kept"]
        text += "\n*Affine maps of all ten classes at all images.*\n\n" + table(head, rows)
    rows = [
        [
            f["title"], f"{f['seed']}",
            *("" if f[name] is None else f"{f[name]:,}"
              for name in ("n_patterns", "n_maps", "n_near", "paper_n_near", "n_sharing")),
        ]
        for f in record["regions"]
    ]  # fmt: skip
    head = [
        "network",
        "seed",
        "patterns",
        "maps",
        "those within 0.001 as one",
        "paper",
        "images that share a map",
    ]
    text += f"\n*Affine maps in use on the {n:,} test images.*\n\n" + table(head, rows)
    rows = [
        [
            f"{titles[row['from']]} to {titles[row['to']]}", row["bias"], *beside(row["n_right"], row["paper"]),
            percent(row["n_right_ridge"]), percent(row["n_right_chance_any"]), percent(row["n_right_chance_label"]),
            span(row["r2"]), span(row["r2_weighted"]), span(row["r2_uncentered"]), span(row["paper_r2"]),
        ]
        for row in record["similarity"]
    ]  # fmt: skip
    head = ["pair", "bias", *three, "ridge, %", "chance, %", "chance within classes, %"]
    head += ["R², coordinates alike", "R², by variance", "R², no means", "R², paper"]
    text += "\n*Maps of one network turned into those of another.*\n\n" + table(head, rows)
    rows = [
        [titles[row["network"]], f"{row['k']:,}", *beside(row["n_right"], row["paper"]), percent(row["n_right_random"])]
        for row in record["reduction"]
    ]
    head = ["network", "centers per class", *three, "random starts, %"]
    text += "\n*Fewer maps.*\n\n" + table(head, rows)
    rows = [
        [
            titles[row["network"]], f"{row['seed']}", f"{row['k']:,}", f"{row['n_parameters']:,}",
            percent([row["n_right"]]), f"{100 * row['agreement']:.2f}", f"{row['mean_deviation']:.2f}",
            f"{row['largest_deviation']:.1f}",
        ]
        for row in record["standalone"]
    ]  # fmt: skip
    head = ["network", "seed", "pieces", "numbers stored", "right, %", "agrees with the network, %"]
    return text + "\n*Models that stand alone.*\n\n" + table([*head, "mean deviation", "largest"], rows)


def one_center(record: Record) -> str:
    """Return the table of what the centers with k = 1 depend on."""

    def percent(counts: list[int]) -> str:
        low, high = (f"{100 * n / record['n_test']:.2f}" for n in (min(counts), max(counts)))
        return low if low == high else f"{low} to {high}"

    batches = record["batches"]
    head = ["network", "seed", "mean of all maps, %", *(f"batches of {b:,}, %" for b in batches), "paper, %"]
    rows = [
        [
            row["network"], f"{row['seed']}", percent([row["n_right_exact"]]),
            *(percent(row[f"n_right_{b}"]) for b in batches), percent([row["n_right_paper"]]),
        ]
        for row in record["rows"]
    ]  # fmt: skip
    return table(head, rows) + f"\n{record['starts']} starts of the clustering." + made(record).replace("\n", " ", 1)


def one_center_epochs(record: Record) -> str:
    """Return the table of how one map a class does while a network learns."""
    rows = [
        [f"{row['epoch']}", *(f"{100 * row[name] / record['n_test']:.2f}" for name in ("n_right", "n_right_one_map"))]
        for row in record["rows"]
        if row["epoch"] in (1, 2, 5, 10, 15) or row["epoch"] >= 20
    ]
    return table(["epoch", "the network, %", "one map a class, %"], rows) + made(record)
