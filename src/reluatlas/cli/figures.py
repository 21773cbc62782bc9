"""Which figures are drawn? What `--figures` and `--no-figures` ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reluatlas.errors import ArgumentError

if TYPE_CHECKING:
    from reluatlas.network.network import Network

_ALL = "all"


@dataclass(frozen=True)
class Drawn:
    """The figures that were asked for.

    Attributes
    ----------
    names : str or None
        As typed: short names with commas between them, or "all"; None when left out.
    is_none : bool
        Whether none are wanted.
    """

    names: str | None = None
    is_none: bool = False

    def chosen(self, network: Network, domain: object, *, count_only: bool, has_folder: bool) -> tuple[str, ...] | None:
        """Return the names of the figures of a domain, or None where that was left open.

        Raises
        ------
        ArgumentError
            When a name is none, or there is no such figure of this domain; when there is no folder to write it to.
        """
        from reluatlas.report.drawings import SHORT, available

        if self.names is None:
            return () if self.is_none else None
        if self.is_none:
            raise ArgumentError("`--figures` and `--no-figures` say opposite things. Pass one of them.")
        if count_only:
            raise ArgumentError("`--figures` with `--count-only`: counting draws nothing. Leave one of them out.")
        if not has_folder:
            raise ArgumentError("`--figures` needs a folder to write to. Pass `--out FOLDER`.")
        there = available(network, domain)
        short = {name: full for name, full in {**SHORT, "boundary": "boundary"}.items() if full in there}
        out: list[str] = []
        for name in (part.strip() for part in self.names.split(",")):
            if name == _ALL:
                out += there
            elif name in short or name in there:
                out.append(short.get(name, name))
            elif not there:
                raise ArgumentError(f"`--figures {self.names}`: there are no figures of this domain. Leave it out.")
            else:
                raise ArgumentError(
                    f"`--figures {self.names}`: {name!r} is no figure of this domain. Pass some of "
                    f"{', '.join(short)}, or {_ALL}."
                )
        return tuple(dict.fromkeys(out))
