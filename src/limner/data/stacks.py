"""Files of many pictures and medical files: NPY arrays, NIfTI volumes as axial slices, DICOM slices.

An NPY array is one picture ``(H, W)`` or ``(H, W, C)`` with at most 4 channels, or a stack ``(N, H, W)``, ``(N, H, W, C)`` or
``(N, C, H, W)`` with at most 16 channels. A NIfTI volume is turned to the nearest orientation right-anterior-superior; a slice is
shown with the patient's front up. DICOM values are rescaled to their unit (Hounsfield units for CT); where the smallest value is
meant as white (MONOCHROME1) they are turned round first, as those of TIFF files are. All pictures of a file have one dtype.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.errors import DataError, MachineError
from limner.core.sample import Image

STACK_SUFFIXES = (".npy", ".nii.gz", ".nii", ".dcm")
VOLUME_SUFFIXES = (".nii.gz", ".nii")
MOST_CHANNELS = 16
MOST_COLORS = 4  # a last axis of so few is colour, not width


def stack_suffix(name: str) -> str:
    """The suffix of a stack or medical file; empty for other files."""
    return next((suffix for suffix in STACK_SUFFIXES if name.lower().endswith(suffix)), "")


def num_frames(path: Path) -> int:
    """Pictures in a file; 1 for a DICOM slice or an array that is one picture.

    Raises
    ------
    DataError, MachineError : see `read_frame`.
    """
    return int(_frames(path).shape[0])


def read_frame(path: Path, frame: int | None = None) -> Image:
    """One picture of a file.

    Parameters
    ----------
    path : NPY, NIfTI or DICOM file.
    frame : which one; None where the file holds one.

    Returns
    -------
    ``(H, W, C)`` uint8, uint16 or float32.

    Raises
    ------
    DataError : damaged, of another shape, with pickled objects, or a stack where one picture is wanted.
    MachineError : the extra ``medical`` is not installed.
    """
    frames = _frames(path)
    if frame is None and len(frames) != 1:
        raise DataError(
            f"{path.name} is a stack of {len(frames)} pictures", expected="one picture", where=str(path),
            fix="train and evaluate read stacks; save single pictures for anything else",
        )  # fmt: skip
    return _as_image(np.asarray(frames[frame or 0]), path, _image_dtype(_stamp(path)))


def read_frame_values(path: Path, frame: int | None, *, is_single: bool) -> npt.NDArray[Any]:
    """Class ids of one picture, ``(H, W)`` whole numbers, from a file of masks.

    Parameters
    ----------
    path : the file.
    frame : which one.
    is_single : the file holds one mask; settles whether ``(A, B, 1)`` is a stack.

    Raises
    ------
    DataError : damaged, or several channels that are not one yes/no map per class.
    """
    if stack_suffix(path.name) == ".npy":
        return _npy_mask(_load_npy(path), frame or 0, is_single=is_single, path=path)
    return _ids_of(np.asarray(_frames(path)[frame or 0]), path)


def spacing_of(path: Path) -> tuple[float, float] | None:
    """Height and width of a pixel in mm as a medical file states it; None for other files."""
    if stack_suffix(path.name) in VOLUME_SUFFIXES:
        width, height = _nifti(_stamp(path)).header.get_zooms()[:2]
        return float(height), float(width)
    if stack_suffix(path.name) == ".dcm":
        stated = list(getattr(_dicom_header(path), "PixelSpacing", None) or [])
        return (float(stated[0]), float(stated[1])) if len(stated) == 2 else None
    return None


def patient_of(path: Path) -> str:
    """The patient that a DICOM file states; empty for other files and where there is none."""
    return str(getattr(_dicom_header(path), "PatientID", None) or "") if stack_suffix(path.name) == ".dcm" else ""


def _stamp(path: Path) -> tuple[str, int, int]:
    """A key that changes with the file."""
    stat = path.stat()
    return str(path), stat.st_mtime_ns, stat.st_size


def _frames(path: Path) -> npt.NDArray[Any]:
    """``(N, H, W, C)`` of any file; read once while the file stays the same."""
    try:
        stamp = _stamp(path)
    except OSError:
        raise DataError(f"{path.name} does not exist", expected="a whole file", where=str(path)) from None
    suffix = stack_suffix(path.name)
    if suffix == ".npy":
        return _npy_frames(_load_npy(path), path)
    return _volume(stamp) if suffix in VOLUME_SUFFIXES else _dicom(stamp)


def _load_npy(path: Path) -> npt.NDArray[Any]:
    try:
        check_npy(path)
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"{path.name} cannot be read: {' '.join(str(error).split())[:160]}", expected="an array without objects",
            where=str(path), fix="save it again with numpy.save",
        ) from None  # fmt: skip
    if array.dtype.kind not in "buif" or not array.size:
        raise DataError(f"{path.name} holds {array.dtype} of shape {array.shape}", expected="numbers", where=str(path))
    return array


def check_npy(path: Path) -> None:
    """Refuse a file that is no NPY array: NumPy would open archives, and take anything else for a pickle.

    Raises
    ------
    OSError, ValueError : it cannot be read, or begins otherwise.
    """
    with path.open("rb") as file:
        if file.read(6) != b"\x93NUMPY":  # numpy.lib.format, "Format Version 1.0"
            raise ValueError("it does not begin as an NPY file does")


def _npy_frames(array: npt.NDArray[Any], path: Path) -> npt.NDArray[Any]:
    shape = array.shape
    if array.ndim == 2:
        return array[None, :, :, None]
    if array.ndim == 3:
        return array[None] if shape[2] <= MOST_COLORS else array[..., None]
    if array.ndim == 4 and shape[3] <= MOST_CHANNELS:
        return array
    if array.ndim == 4 and shape[1] <= MOST_CHANNELS:
        return np.moveaxis(array, 1, 3)
    raise DataError(
        f"{path.name} holds an array of shape {shape}", expected="(H, W), (H, W, C), (N, H, W) or (N, H, W, C)",
        where=str(path), fix="save it in one of these shapes",
    )  # fmt: skip


def _npy_mask(array: npt.NDArray[Any], frame: int, *, is_single: bool, path: Path) -> npt.NDArray[Any]:
    mask = np.asarray(array if is_single else array[frame])
    if mask.ndim == 3 and mask.shape[0] == 1 and is_single:
        mask = mask[0]
    return _ids_of(mask, path)


def _ids_of(mask: npt.NDArray[Any], path: Path) -> npt.NDArray[Any]:
    """Class ids ``(H, W)`` from ids with or without an axis of channels, or from one yes/no map per class."""
    if mask.ndim == 3 and mask.shape[2] == 1:
        mask = mask[..., 0]
    if mask.ndim == 3 and ((mask > 0).sum(2) == 1).all():
        return np.asarray(mask.argmax(2), np.uint8)
    if mask.ndim != 2:
        raise DataError(
            f"{path.name} holds masks of shape {mask.shape}",
            expected="(H, W) class ids, or one yes/no map per class, the background first, of which one is set at each pixel",
            where=str(path), fix="save class ids",
        )  # fmt: skip
    return mask


@functools.lru_cache(maxsize=4096)
def _image_dtype(stamp: tuple[str, int, int]) -> np.dtype[Any]:
    """uint8 and uint16 as they are, yes/no as uint8, whole numbers that fit as uint16, all else float32.

    Whether numbers fit is asked of all pictures of a file, once: else slices of one volume would differ in dtype.
    """
    frames = _frames(Path(stamp[0]))
    if frames.dtype == np.bool_:
        return np.dtype(np.uint8)
    if frames.dtype.newbyteorder("=") in (np.uint8, np.uint16):
        return frames.dtype.newbyteorder("=")
    if frames.dtype.kind in "iu" and frames.size and frames.min() >= 0 and frames.max() <= 65535:
        return np.dtype(np.uint8 if frames.dtype == np.int8 else np.uint16)
    return np.dtype(np.float32)


def _as_image(frame: npt.NDArray[Any], path: Path, dtype: np.dtype[Any]) -> Image:
    """A picture of `dtype`, yes/no as 0 and 255."""
    if frame.dtype == np.bool_:
        return frame.astype(np.uint8) * 255
    image = frame.astype(dtype, order="C")  # a copy: what was read stays in memory for the next picture
    if dtype.kind == "f" and not np.isfinite(image).all():
        raise DataError(
            f"{path.name} holds values that are not finite",
            expected="finite numbers",
            where=str(path),
            fix="export it again",
        )
    return image


@functools.lru_cache(maxsize=2)
def _volume(stamp: tuple[str, int, int]) -> npt.NDArray[Any]:
    """Axial slices ``(Z, H, W, C)``."""
    image = _nifti(stamp)
    try:
        values = np.asanyarray(image.dataobj)
    except Exception as error:  # a truncated file fails in the decompressor, with anything
        raise _damaged(Path(stamp[0]), error) from None
    values = values[..., None] if values.ndim == 3 else values
    if values.ndim != 4:
        raise DataError(f"a volume of shape {values.shape}", expected="three or four axes", where=stamp[0])
    return np.ascontiguousarray(np.rot90(values, axes=(0, 1)).transpose(2, 0, 1, 3))


def _nifti(stamp: tuple[str, int, int]) -> Any:
    nibabel = medical_package("nibabel")
    try:
        return nibabel.as_closest_canonical(nibabel.load(stamp[0]))
    except Exception as error:  # nibabel raises anything from ImageFileError to struct.error on damaged files
        raise _damaged(Path(stamp[0]), error) from None


@functools.lru_cache(maxsize=8)
def _dicom(stamp: tuple[str, int, int]) -> npt.NDArray[Any]:
    pydicom = medical_package("pydicom")
    try:
        file = pydicom.dcmread(stamp[0])
        values: npt.NDArray[Any] = file.pixel_array.astype(np.float32)
        slope, shift = _number(file, "RescaleSlope", 1), _number(file, "RescaleIntercept", 0)
        if file.PhotometricInterpretation == "MONOCHROME1":  # the stored range is kept, its ends change places
            values = (-1 if file.PixelRepresentation else 2**file.BitsStored - 1) - values
    except Exception as error:  # as above
        raise _damaged(Path(stamp[0]), error) from None
    if getattr(file, "SamplesPerPixel", 1) == 1:
        values = values[..., None]
    rescaled = np.asarray(values * slope + shift, np.float32)
    return rescaled[None] if rescaled.ndim == 3 else rescaled


def _number(file: Any, name: str, default: float) -> float:
    """A number that a DICOM file states; `default` where it lacks it or leaves it empty."""
    stated = getattr(file, name, None)
    return default if stated is None or stated == "" else float(stated)


def _dicom_header(path: Path) -> Any:
    pydicom = medical_package("pydicom")
    try:
        return pydicom.dcmread(path, stop_before_pixels=True)
    except Exception as error:  # as above
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path.name} cannot be read: {' '.join(str(error).split())[:160] or type(error).__name__}",
        expected="a whole file", where=str(path), fix="copy or export the file again",
    )  # fmt: skip


def medical_package(name: str) -> Any:
    """The package `name` of the extra; imported late, since most installs lack it."""
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise MachineError(
            f"the package {name} is not installed", expected="the extra for medical files",
            fix='pip install "limner[medical]"',
        ) from None  # fmt: skip
