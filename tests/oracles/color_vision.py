"""How far apart are two colors to an eye, with and without red-green blindness? CIEDE2000, and simulations.

The formulas of G. Sharma, W. Wu and E. N. Dalal (2005), "The CIEDE2000 color-difference formula: implementation notes,
supplementary test data, and mathematical observations", Color Research and Application 30; the matrices for severity 1
of G. M. Machado, M. M. Oliveira and L. A. F. Fernandes (2009), "A physiologically-based model for simulation of color
vision deficiency", IEEE TVCG 15, which act on linear sRGB; sRGB of IEC 61966-2-1, white D65.
"""

from __future__ import annotations

from math import atan2, cos, degrees, exp, hypot, radians, sin, sqrt

MACHADO = {
    "normal": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}


def linear(color):
    """Return linear sRGB of a color in [0, 1]^3."""
    return tuple(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color)


def lab(color, vision="normal"):
    """Return CIELAB of an sRGB color as an eye with that vision sees it."""
    light = linear(color)
    seen = [min(max(sum(m * c for m, c in zip(row, light, strict=True)), 0.0), 1.0) for row in MACHADO[vision]]
    to_xyz = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
    white = (0.95047, 1.0, 1.08883)
    x, y, z = (
        _root(sum(m * c for m, c in zip(row, seen, strict=True)) / w) for row, w in zip(to_xyz, white, strict=True)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _root(t):
    return t ** (1 / 3) if t > (6 / 29) ** 3 else t / (3 * (6 / 29) ** 2) + 4 / 29


def ciede2000(first, second):
    """Return the difference of two colors in CIELAB."""
    (l1, a1, b1), (l2, a2, b2) = first, second
    mean = (hypot(a1, b1) + hypot(a2, b2)) / 2
    g = 0.5 * (1 - sqrt(mean**7 / (mean**7 + 25.0**7)))
    a1, a2 = (1 + g) * a1, (1 + g) * a2
    c1, c2 = hypot(a1, b1), hypot(a2, b2)
    h1, h2 = (0.0 if a == 0 and b == 0 else degrees(atan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = h2 - h1
    if c1 * c2 == 0:
        turn, h = 0.0, h1 + h2
    elif abs(turn) <= 180:
        h = (h1 + h2) / 2
    else:
        turn += -360 if turn > 180 else 360
        h = (h1 + h2 + (360 if h1 + h2 < 360 else -360)) / 2
    dh = 2 * sqrt(c1 * c2) * sin(radians(turn / 2))
    lm, cm = (l1 + l2) / 2, (c1 + c2) / 2
    t = (
        1 - 0.17 * cos(radians(h - 30)) + 0.24 * cos(radians(2 * h))
        + 0.32 * cos(radians(3 * h + 6)) - 0.20 * cos(radians(4 * h - 63))
    )  # fmt: skip
    sl = 1 + 0.015 * (lm - 50) ** 2 / sqrt(20 + (lm - 50) ** 2)
    sc, sh = 1 + 0.045 * cm, 1 + 0.015 * cm * t
    rotation = -sin(radians(60 * exp(-(((h - 275) / 25) ** 2)))) * 2 * sqrt(cm**7 / (cm**7 + 25.0**7))
    dl, dc, dh = (l2 - l1) / sl, (c2 - c1) / sc, dh / sh
    return sqrt(dl**2 + dc**2 + dh**2 + rotation * dc * dh)


def contrast(first, second):
    """Return the contrast ratio of two sRGB colors, as WCAG 2 defines it."""
    a, b = (sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear(x), strict=True)) for x in (first, second))
    return (max(a, b) + 0.05) / (min(a, b) + 0.05)
