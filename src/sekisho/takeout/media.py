"""A registered medium: which one is plugged in, by what its hardware tells, and a package written onto it.

The serial number is read from sysfs, of the device behind the mount point. A medium that tells none is nobody's. What
was written is read back from the medium, not from memory, before it counts.
"""

import hashlib
import os
from pathlib import Path
from typing import Final

from sekisho.faults import Fault
from sekisho.relay.workspace.store import sync_folder
from sekisho.takeout.custody_faults import DELIVERY_FAILED, UNKNOWN_DESTINATION
from sekisho.takeout.parcel import Parcel

SYSFS: Final = Path("/sys")
_CHUNK: Final = 1 << 20


def serial_of(mount: Path, sysfs: Path = SYSFS) -> str:
    """The serial number of the device that a folder lies on. Raises Fault UNKNOWN_DESTINATION."""
    try:
        device = mount.stat().st_dev
        place = (sysfs / f"dev/block/{os.major(device)}:{os.minor(device)}").resolve(strict=True)
        # A partition lies below its disk, a disk below its USB device: the nearest that has one.
        for folder in (place, *place.parents):
            if folder == sysfs.resolve():
                break
            for name in ("serial", "device/serial"):
                if (folder / name).is_file() and (serial := (folder / name).read_text().strip()):
                    return serial
    except OSError:
        pass
    raise Fault(UNKNOWN_DESTINATION, destination=str(mount))


def write(parcel: Parcel, mount: Path) -> None:
    """Write everything and read it back; the package gets its name last. Raises Fault DELIVERY_FAILED, OSError."""
    for name, paper in parcel.papers.items():
        (mount / name).write_bytes(paper)
    part = mount / f"{parcel.package_name}.part"
    try:
        handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            for chunk in parcel.chunks():
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
            # What is in memory proves nothing of the medium.
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        digest = hashlib.sha256()
        with part.open("rb", buffering=0) as written:
            while piece := written.read(_CHUNK):
                digest.update(piece)
        if digest.hexdigest() != parcel.package.sha256:
            raise Fault(
                DELIVERY_FAILED,
                takeout=parcel.package_name,
                reason="what was read back is not what was written",
            )
        part.replace(mount / parcel.package_name)
        sync_folder(mount)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
