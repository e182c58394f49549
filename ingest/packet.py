"""The units that flow from a camera: stream description, encoded packet, decoded frame, clip record."""

from dataclasses import dataclass
from enum import StrEnum

import av
import numpy as np
from numpy.typing import NDArray

from ingest.scaling import scaled_bgr


class Codec(StrEnum):
    """By libav's names. Cameras send the first two; the others are met in recorded files only."""

    H264 = "h264"
    H265 = "hevc"
    MJPEG = "mjpeg"
    MPEG1 = "mpeg1video"
    MPEG2 = "mpeg2video"
    MPEG4 = "mpeg4"
    MSMPEG4_1 = "msmpeg4v1"
    MSMPEG4_2 = "msmpeg4v2"
    MSMPEG4_3 = "msmpeg4v3"
    H263 = "h263"
    FLV1 = "flv1"
    WMV1 = "wmv1"
    WMV2 = "wmv2"
    WMV3 = "wmv3"
    VC1 = "vc1"
    THEORA = "theora"
    VP8 = "vp8"
    VP9 = "vp9"
    AV1 = "av1"


CAMERA_CODECS = frozenset({Codec.H264, Codec.H265})


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a stream carries. `extradata` holds the parameter sets (Annex B or avcC/hvcC, as libav knows it)."""

    codec: Codec
    width_px: int
    height_px: int
    extradata: bytes
    nominal_fps: float | None = None


@dataclass(frozen=True, slots=True)
class Stamp:
    """Whose, which and when. `seq` counts packets of one session from 0; `t_ns` is UTC from the host's clock."""

    camera_id: str
    seq: int
    t_ns: int


@dataclass(frozen=True, slots=True)
class Packet:
    """One encoded access unit; never modified."""

    stamp: Stamp
    pts_90k: int
    is_key: bool
    raw: bytes


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture (8-bit YUV 4:2:0). Converts late, and only what is asked."""

    stamp: Stamp
    raw: av.VideoFrame

    @property
    def width_px(self) -> int:
        return int(self.raw.width)

    @property
    def height_px(self) -> int:
        return int(self.raw.height)

    def luma(self) -> NDArray[np.uint8]:
        """The Y plane as a view, uint8 (height, width); valid while the frame lives."""
        plane = self.raw.planes[0]
        rows: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        return rows[: self.raw.height, : self.raw.width]

    def bgr(self, width_px: int, height_px: int) -> NDArray[np.uint8]:
        """The picture scaled to (height_px, width_px, 3) uint8 BGR, fast bilinear."""
        return scaled_bgr(self.raw, width_px, height_px)


@dataclass(frozen=True, slots=True)
class Clip:
    """A finished clip in the object store."""

    clip_id: str
    camera_id: str
    start_ns: int
    end_ns: int
    key: str
    size_bytes: int
    sha256: str
    codec: Codec
