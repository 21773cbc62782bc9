"""Which loops over a batch of points are compiled? Sure pieces, sure winners, and rows pulled back through images."""

from __future__ import annotations

from reluatlas.compiled.jit import inner, kernel


@kernel
def sure_relu(z, scale, width, piece, doubt):
    """Set z to max(z, 0) and `piece` to 1 where z > 0; mark points where an error of `scale * width` leaves it open."""
    for n in range(z.shape[0]):
        for i in range(z.shape[1]):
            error = scale[n] * width[i]
            if z[n, i] > error:
                piece[n, i] = 1
            else:
                # written so that NaN is in doubt; a width of zero belongs to a unit that is zero everywhere
                if not z[n, i] < -error and width[i] != 0.0:
                    doubt[n] = True
                piece[n, i] = 0
                z[n, i] = 0.0


@inner
def _same_patch(image, places, bias, left, right):
    """Return whether two entries of one channel of a convolution read the same numbers of an image."""
    n = places.shape[0]
    if left // n != right // n or bias[left] != bias[right]:
        return False
    for t in range(places.shape[1]):
        one, other = places[left % n, t], places[right % n, t]
        for c in range(image.shape[0]):
            if (image[c, one] if one >= 0 else 0.0) != (image[c, other] if other >= 0 else 0.0):
                return False
    return True


@kernel
def sure_winners(
    z, scale, width, zero_is_exact, offsets, candidates, classes, plain, images, places, bias, signs, kind, winner,
    value, doubt, tied,
):  # fmt: skip
    """Find the first largest candidate of each window; mark points where errors leave it open, and ties that may cut.

    Candidates of one class that are background (`plain`) are equal, so are those of one channel that read the same
    numbers (`images`, `places`, `bias`: where the input is convolved), and those at zero after a ReLU, which stay equal
    in the whole cell. With `signs` (kinds, windows, candidates, candidates), ties go to the candidate that grows
    first, and `tied` marks those that cut; a point whose `kind` is -1 is in doubt.
    """
    perturb = signs.shape[0] > 0
    for n in range(z.shape[0]):
        for w in range(winner.shape[1]):
            first, last = offsets[w], offsets[w + 1]
            best, top = first, z[n, candidates[first]]
            for c in range(first + 1, last):
                if z[n, candidates[c]] > top:
                    best, top = c, z[n, candidates[c]]
            winner[n, w] = best - first
            value[n, w] = top
            at = candidates[best]
            error = scale[n] * width[at]
            if top - top != 0.0:
                doubt[n] = True
            if zero_is_exact and top == 0.0:
                continue
            lowest = -1
            for c in range(first, last):
                other = candidates[c]
                if other != at:
                    more = error
                    if not (zero_is_exact and z[n, other] == 0.0):
                        more += scale[n] * width[other]
                    if top - z[n, other] > more:
                        continue
                    alike = False
                    if plain.shape[1] > 0 and classes[at] == classes[other]:
                        alike = plain[n, at % plain.shape[1]] and plain[n, other % plain.shape[1]]
                    if not alike and places.shape[0] > 0:
                        alike = _same_patch(images[n], places, bias, at, other)
                    if not alike:
                        doubt[n] = True
                        continue
                if lowest < 0:
                    lowest = c - first
                elif not perturb:
                    tied[n] = tied[n] or other != at
                elif kind[n] < 0:
                    doubt[n] = True
                else:
                    sign = signs[kind[n], w, c - first, lowest]
                    if sign != 0:
                        tied[n] = True
                    if sign > 0:
                        lowest = c - first
            winner[n, w] = lowest


@kernel
def pull_image(values, index, weight, places, runs, repeated, out):
    """Add to `out` (N, channels in, positions in times m) what coefficients (N, k, m) of entries `index` give.

    The entries are those of a convolution's output. `weight` (out channels, channels in of a group, taps times m) has
    every weight m times, and `runs` says how many taps from each on read positions one after the other, so that they
    are one loop. `repeated` is a workspace.
    """
    m = values.shape[2]
    positions = places.shape[0]
    per_group = weight.shape[1]
    group_size = weight.shape[0] * per_group // out.shape[1]
    for n in range(values.shape[0]):
        for i in range(values.shape[1]):
            busy = False
            for j in range(m):
                if values[n, i, j] != 0.0:
                    busy = True
            if not busy:
                continue
            for j in range(repeated.shape[0]):
                repeated[j] = values[n, i, j % m]
            channel, position = index[n, i] // positions, index[n, i] % positions
            lead = channel // group_size * per_group
            t = 0
            while t < places.shape[1]:
                length = runs[position, t] * m
                start = places[position, t] * m
                for c in range(per_group):
                    target = out[n, lead + c, start : start + length]
                    factor = weight[channel, c, t * m : t * m + length]
                    for q in range(length):
                        target[q] += factor[q] * repeated[q]
                t += max(1, runs[position, t])


@kernel
def scatter(values, index, out):
    """Add the coefficients (N, k, m) of entries `index` to `out` (N, size, m)."""
    for n in range(values.shape[0]):
        for i in range(values.shape[1]):
            for j in range(values.shape[2]):
                out[n, index[n, i], j] += values[n, i, j]
