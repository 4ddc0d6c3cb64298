"""Reads data sets in the layouts that people have: image folders, IDX files, the CIFAR npz."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.codecs.image import SUFFIXES, ImageLimits, decode_image
from service.contract.errors import InputError, SetupError
from training.data.pictures import DataSet, Pictures, Reader, already_decoded

SPLIT_FOLDERS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
LIMITS = ImageLimits(max_pixels=200_000_000)


class InvalidData(SetupError):
    """A data folder that cannot be read as any known layout, or is broken."""


def load_dataset(path: Path) -> DataSet:
    """Return the data set at `path`, whose layout is recognised by what lies there.

    IDX: `train-images-idx3-ubyte(.gz)` and its three companions.
    CIFAR npz: one `.npz` with `train_jpeg`, `train_offsets`, `train_labels`, likewise test.
    Image folder: `train/CLASS/*.jpg`, with `val/` and `test/` beside it if there are.
    Plain folder: `CLASS/*.jpg`; it has a `train` split only.
    Raises: InvalidData naming the file that is missing or broken.
    """
    if not path.exists():
        raise InvalidData(f"{path}: there is no such file or folder")
    if path.suffix == ".npz":
        return _load_jpeg_archive(path)
    if not path.is_dir():
        raise InvalidData(f"{path}: is neither a folder nor an .npz file")
    if any(path.glob("train-images-idx3-ubyte*")):
        return _load_idx(path)
    if _subfolders(path / "train"):
        return _load_split_folders(path)
    archives = sorted(path.glob("*.npz"))
    if archives and not _subfolders(path):
        return _load_jpeg_archive(archives[0])
    return _load_class_folders(path, {"train": path})


def _subfolders(folder: Path) -> list[Path]:
    """Return the folders inside, in order; hidden ones are other programs' business."""
    if not folder.is_dir():
        return []
    return sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith("."))


def _load_split_folders(path: Path) -> DataSet:
    found = {split: path / name for name, split in SPLIT_FOLDERS.items() if (path / name).is_dir()}
    return _load_class_folders(path, found)


def _load_class_folders(path: Path, roots: dict[str, Path]) -> DataSet:
    classes = [folder.name for folder in _subfolders(roots["train"])]
    if len(classes) < 2:
        raise InvalidData(
            f"{roots['train']}: expected a folder of pictures for each of at least two classes, "
            f"found {classes or 'none'}"
        )
    splits = {split: _read_class_folders(path, root, classes) for split, root in roots.items()}
    return DataSet(path.resolve().name, tuple(classes), splits)


def _read_class_folders(path: Path, root: Path, classes: list[str]) -> Pictures:
    files: list[Path] = []
    labels: list[int] = []
    for folder in _subfolders(root):
        if folder.name not in classes:
            raise InvalidData(f"{folder}: this class is not in the training split")
        found = sorted(file for file in folder.rglob("*") if is_picture(file))
        files += found
        labels += [classes.index(folder.name)] * len(found)
    if not files:
        raise InvalidData(f"{root}: no pictures found")
    read = decoder(lambda i: files[i].read_bytes(), [str(file) for file in files])
    names = [file.relative_to(path).as_posix() for file in files]
    return Pictures(read, np.array(labels, np.int64), names)


def is_picture(file: Path) -> bool:
    """Return whether the name is that of a picture in a format that is read."""
    # a name that begins with a dot is no picture: macOS writes such files beside real ones
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".")


def decoder(blob: Callable[[int], bytes], names: list[str]) -> Reader:
    """Return a reader of encoded pictures, `blob(i)`; a broken one is InvalidData by its name."""

    def read(i: int, enough_px: int | None = None) -> NDArray[np.uint8]:
        try:
            return decode_image(blob(i), LIMITS, enough_px)
        except (InputError, OSError) as error:
            raise InvalidData(f"{names[i]}: {error}") from error

    return read


def _load_jpeg_archive(file: Path) -> DataSet:
    with np.load(file, allow_pickle=False) as archive:
        # every access inflates the array again, so take each one once
        arrays = {key: archive[key] for key in archive.files}
    splits = {}
    try:
        for split in ("train", "test"):
            blob, offsets = arrays[f"{split}_jpeg"].tobytes(), arrays[f"{split}_offsets"]
            labels = arrays[f"{split}_labels"].astype(np.int64)
            names = [f"{file.name}:{split}[{i}]" for i in range(len(labels))]
            splits[split] = Pictures(decoder(_slices(blob, offsets), names), labels, names)
        classes = tuple(str(name) for name in arrays["class_names"])
    except KeyError as error:
        raise InvalidData(f"{file}: has no array {error}") from error
    return DataSet(file.resolve().parent.name, classes, splits)


def _slices(blob: bytes, offsets: NDArray[np.int64]) -> Callable[[int], bytes]:
    return lambda i: blob[offsets[i] : offsets[i + 1]]


def _load_idx(folder: Path) -> DataSet:
    splits = {}
    for split, prefix in (("train", "train"), ("test", "t10k")):
        images = _read_idx(folder, f"{prefix}-images-idx3-ubyte", dimensions=3)
        labels = _read_idx(folder, f"{prefix}-labels-idx1-ubyte", dimensions=1).astype(np.int64)
        if len(images) != len(labels):
            raise InvalidData(f"{folder}: {len(images)} {split} images, {len(labels)} labels")
        names = [f"{prefix}-images[{i}]" for i in range(len(labels))]
        splits[split] = Pictures(_gray_reader(images), labels, names)
    classes = tuple(str(i) for i in range(int(splits["train"].labels.max()) + 1))
    return DataSet(folder.resolve().name, classes, splits)


def _gray_reader(images: NDArray[np.uint8]) -> Reader:
    return already_decoded(lambda i: np.repeat(images[i][:, :, None], 3, axis=2))


def _read_idx(folder: Path, stem: str, dimensions: int) -> NDArray[np.uint8]:
    """Return a uint8 IDX file: big-endian 0x0000 08 dd, dd sizes, then the bytes."""
    file = next((f for f in (folder / f"{stem}.gz", folder / stem) if f.is_file()), None)
    if file is None:
        raise InvalidData(f"{folder / stem}(.gz): is missing")
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        magic, *sizes = struct.unpack_from(f">{dimensions + 1}I", content)
        pixels = np.frombuffer(content, np.uint8, offset=4 * (dimensions + 1))
        if magic != 0x0800 + dimensions:
            raise ValueError(f"magic number {magic} is not {0x0800 + dimensions}")
        return pixels.reshape(sizes)
    except (OSError, EOFError, ValueError, struct.error) as error:
        raise InvalidData(f"{file}: {error}") from error
