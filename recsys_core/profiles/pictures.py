"""Image features: colors and edges. Unreadable images are counted and do not raise."""

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from recsys_core.contracts import FloatArray
from recsys_core.errors import DataError
from recsys_core.text import _

SIDE = 64
"""Maximum side length in pixels to which images are downsized before they are measured."""
MOST_BYTES = 64 * 1024**2
"""Maximum size of an image file."""
MOST_POINTS = 100_000_000
"""Maximum number of pixels of an image that is decoded."""
MEASURES = (
    "brightness", "contrast", "saturation", "colourfulness", "red", "green", "blue",
    "edges", "upright edges", "level edges", "width to height",
)  # fmt: skip
"""Names of the image measures, in order."""


@dataclass(frozen=True, eq=False)
class PictureRead:
    """Measures of the images of N rows.

    Args:
        measures: (N, 11) see `measure`; NaN without an image.
        missing: Number of rows without an image or with a missing file.
        broken: Number of files that are not images, too large, or truncated.
    """

    measures: FloatArray
    missing: int
    broken: int


def read_pictures(cells: Sequence[object], files: Path | None = None) -> PictureRead:
    """Measure the image of each cell.

    Args:
        cells: N image contents (bytes) or file paths inside `files`; anything else counts as missing.
        files: Folder or zip file with the images.

    Raises:
        DataError: `files` is neither a folder nor a zip file.
    """
    measures = np.full((len(cells), len(MEASURES)), np.nan)
    missing = broken = 0
    with opened(files) as source:
        for row, cell in enumerate(cells):
            content = content_of(cell, source)
            if content is None:
                missing += 1
                continue
            found = measure(content)
            if found is None:
                broken += 1
            else:
                measures[row] = found
    return PictureRead(measures, missing, broken)


def content_of(cell: object, source: "PictureFiles | None") -> bytes | None:
    """Return the bytes of the image in a cell; None if the cell has no image or its file does not exist."""
    if isinstance(cell, bytes | bytearray | memoryview):
        return bytes(cell)
    if isinstance(cell, str) and cell and source is not None:
        return source.read(cell)
    return None


def shrunk(content: bytes) -> bytes | None:
    """Return an image as a PNG of at most 64 pixels per side, with the same measures; None if it cannot be read."""
    picture = _small(content)
    if picture is None:
        return None
    out = io.BytesIO()
    picture.save(out, format="PNG", optimize=True)
    return out.getvalue()


def measure(content: bytes) -> FloatArray | None:
    """Return (11,) measures of an image, None if it cannot be read.

    On the downsized image, channels from 0 to 1, with luma = 0.299 R + 0.587 G + 0.114 B:

    - brightness and contrast: mean and standard deviation of luma;
    - saturation: mean of (largest - smallest channel) / largest channel;
    - colourfulness: sqrt(var(rg) + var(yb)) + 0.3 sqrt(mean(rg)^2 + mean(yb)^2), rg = R - G, yb = (R + G) / 2 - B;
    - red, green, blue: means;
    - edges: mean norm of the gradient of luma (central differences); upright and level edges: mean of its absolute
      horizontal and vertical component;
    - width to height: logarithm of their ratio.

    Source: Hasler and Suesstrunk 2003, "Measuring colourfulness in natural images", for the fourth.
    """
    picture = _small(content)
    if picture is None:
        return None
    colours = np.asarray(picture, dtype=np.float64) / 255  # (H, W, 3)
    red, green, blue = colours[..., 0], colours[..., 1], colours[..., 2]
    luma = colours @ [0.299, 0.587, 0.114]
    largest = colours.max(axis=2)
    grey = np.where(largest > 0, largest, 1.0)
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    across = np.gradient(luma, axis=1) if luma.shape[1] > 1 else np.zeros_like(luma)
    down = np.gradient(luma, axis=0) if luma.shape[0] > 1 else np.zeros_like(luma)
    return np.array(
        [
            luma.mean(),
            luma.std(),
            ((largest - colours.min(axis=2)) / grey).mean(),
            np.hypot(red_green.std(), yellow_blue.std()) + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()),
            red.mean(),
            green.mean(),
            blue.mean(),
            np.hypot(across, down).mean(),
            np.abs(across).mean(),
            np.abs(down).mean(),
            np.log(luma.shape[1] / luma.shape[0]),
        ]
    )


def _small(content: bytes):  # type: ignore[no-untyped-def]  # Pillow's image, imported where it is used
    """Return the image in RGB, at most 64 pixels per side, or None if it cannot be read."""
    import warnings

    from PIL import Image, UnidentifiedImageError

    if len(content) > MOST_BYTES:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # images with warnings are still used
            with Image.open(io.BytesIO(content)) as picture:
                if picture.width * picture.height > MOST_POINTS:
                    return None
                picture.draft("RGB", (SIDE * 4, SIDE * 4))
                small = picture.convert("RGB")
        small.thumbnail((SIDE, SIDE))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError):
        return None
    return small


@contextmanager
def opened(files: Path | None) -> Iterator["PictureFiles | None"]:
    """Open a folder or zip file as a source of images; yield None without one.

    Raises:
        DataError: `files` is neither a folder nor a zip file.
    """
    if files is None:
        yield None
    elif files.is_dir():
        yield _Folder(files.resolve())
    elif zipfile.is_zipfile(files):
        with zipfile.ZipFile(files) as archive:
            yield _Zip(archive)
    else:
        raise DataError(
            _("'{files_name}' is neither a folder nor a zip file; pack the images into a zip file.").format(
                files_name=files.name
            )
        )


class _Folder:
    """Images in a folder; paths outside it are refused."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, name: str) -> bytes | None:
        if "\x00" in name:
            return None
        path = (self.root / name.replace("\\", "/")).resolve()
        if not path.is_relative_to(self.root) or not path.is_file() or path.stat().st_size > MOST_BYTES:
            return None
        return path.read_bytes()


class _Zip:
    """Images in a zip file, found by full path or by a unique file name."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.members: dict[str, zipfile.ZipInfo | None] = {}
        infos = [info for info in archive.infolist() if not info.is_dir() and not _is_link(info)]
        for info in infos:
            alone = PurePosixPath(info.filename).name
            self.members[alone] = None if alone in self.members else info
        self.members.update({info.filename: info for info in infos})

    def read(self, name: str) -> bytes | None:
        path = name.replace("\\", "/").removeprefix("./")
        info = self.members.get(path) or self.members.get(PurePosixPath(path).name)
        if info is None or info.file_size > MOST_BYTES:
            return None
        try:
            with self.archive.open(info) as file:
                return file.read(MOST_BYTES)
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, EOFError):
            return b""  # damaged or encrypted: counted as broken


PictureFiles = _Folder | _Zip
"""A source of image files; `read` returns None if a file does not exist or is too large."""


def _is_link(info: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(info.external_attr >> 16)
