"""Packages that a sidebar uses and the course does not need."""

from importlib.metadata import PackageNotFoundError, version


def available(package: str, extra: str = "caches") -> bool:
    """Is `package` installed? Print its version, or how to get it.

    package  the name that pip knows, such as "dogpile.cache"
    extra    the extra of this course that brings it
    """
    try:
        print(f"{package} {version(package)}")
        return True
    except PackageNotFoundError:
        print(f"{package} is not installed, so the cells of this sidebar do nothing. "
              f"To run them: %pip install {package}   (or the extra {extra!r} of the course)")
        return False
