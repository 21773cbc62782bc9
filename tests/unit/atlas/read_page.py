"""A second reader of an atlas's page: from its text to arrays and patterns, by what docs/files.md says of them."""

from __future__ import annotations

import base64
import html
import json
import re

import numpy as np


def read(text):
    """Return what a page tells and its arrays by name."""
    told = json.loads(re.search(r'<script type="application/json" id="atlas-told">(.*?)</script>', text, re.S)[1])
    data = base64.b64decode(re.search(r'<script type="text/plain" id="atlas-data">(.*?)</script>', text, re.S)[1])
    arrays = {
        a["name"]: np.frombuffer(data, "<" + a["kind"], count=a["length"], offset=a["at"]) for a in told["arrays"]
    }
    return told, arrays


def policy(text):
    """Return the directives of a page's Content-Security-Policy."""
    found = html.unescape(re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1])
    return {words[0]: words[1:] for words in (part.split() for part in found.split(";"))}


def patterns(arrays):
    """Return the activation patterns, one flip after another from each cell's source."""
    starts = np.concatenate([[0], np.cumsum(arrays["corners"].astype(int))])
    parent, none = arrays["flips.parent"], np.iinfo(arrays["flips.parent"].dtype).max
    listed = {int(c): i for i, c in enumerate(arrays["flips.cell"])}
    known = {}

    def of(cell):
        way = [cell]
        while way[-1] not in known and parent[way[-1]] != none:
            way.append(int(arrays["neighbor"][starts[way[-1]] + parent[way[-1]]]))
        for c in reversed(way):
            if c in known:
                continue
            is_root = parent[c] == none
            facet = None if is_root else starts[c] + int(parent[c])
            row = (arrays["flips.root"] if is_root else known[int(arrays["neighbor"][facet])]).copy()
            if c in listed:
                here = slice(arrays["flips.start"][listed[c]], arrays["flips.start"][listed[c] + 1])
                row[arrays["flips.column"][here]] = arrays["flips.piece"][here]
            elif not is_root:
                row[arrays["column"][facet]] ^= 1
            known[c] = row
        return known[cell]

    return np.array([of(c) for c in range(arrays["corners"].size)])
