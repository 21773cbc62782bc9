from tests.cli.run import command

__all__ = ["command"]
