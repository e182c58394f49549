"""What a stream carries, read from its key frames: parameter sets and picture size, and whether they have changed.

In: what the container says, then key frames in Annex B form. Out: a `StreamInfo` when it is new. Raises `CameraError`
for what nobody can decode or what is larger than may be. Runs in the session's thread.
"""

from ingest.camera_errors import CameraError, ProblemCode
from ingest.decoder import decode_key_frame
from ingest.nal_units import has_all_parameter_sets, join_annex_b, nal_type, parameter_set_units
from ingest.packet import CAMERA_CODECS, Codec, Packet, Stamp, StreamInfo
from ingest.session import MAX_EXTRADATA_BYTES, MAX_PIXELS, MAX_SIDE_PX, MIN_SIDE_PX

_SEQUENCE_SETS = {Codec.H264: frozenset({7}), Codec.H265: frozenset({32, 33})}


class StreamDescription:
    """The newest description of one stream. `promised` is the container's word, perhaps without size or sets."""

    def __init__(self, promised: StreamInfo) -> None:
        self._promised = promised
        self._sequence = self._sequence_sets(parameter_set_units(promised.codec, promised.extradata))
        self._is_told = False
        _check_size(promised)

    @property
    def has_size(self) -> bool:
        """Whether anything so far has said how large the picture is."""
        return self._promised.width_px > 0

    def look_at(self, key_frame: bytes) -> StreamInfo | None:
        """The description that holds from this key frame on, or None when it is still the one told before."""
        if self._promised.codec not in CAMERA_CODECS:
            return self._tell(self._promised)
        units = parameter_set_units(self._promised.codec, key_frame)
        sequence = self._sequence_sets(units)
        if sequence and sequence != self._sequence:
            self._sequence, self._is_told = sequence, False
            self._promised = _measured(self._promised, join_annex_b(units), key_frame)
        if self._is_told:
            return None
        if not sequence and not has_all_parameter_sets(
            self._promised.codec, parameter_set_units(self._promised.codec, self._promised.extradata)
        ):
            raise CameraError(ProblemCode.PARAMETER_SETS_MISSING, self._promised.codec.name)
        return self._tell(self._promised)

    def _tell(self, info: StreamInfo) -> StreamInfo | None:
        if self._is_told:
            return None
        if min(info.width_px, info.height_px) < MIN_SIDE_PX:
            raise CameraError(ProblemCode.GARBAGE)
        self._is_told = True
        return info

    def _sequence_sets(self, units: list[bytes]) -> frozenset[bytes]:
        wanted = _SEQUENCE_SETS.get(self._promised.codec, frozenset())
        return frozenset(unit for unit in units if nal_type(self._promised.codec, unit) in wanted)


def _measured(promised: StreamInfo, extradata: bytes, key_frame: bytes) -> StreamInfo:
    """The description with the size that a decoder finds in the key frame."""
    info = StreamInfo(promised.codec, 0, 0, extradata, promised.nominal_fps)
    frame = decode_key_frame(info, Packet(Stamp("", 0, 0), 0, True, key_frame))
    if frame is None:
        raise CameraError(ProblemCode.GARBAGE)
    found = StreamInfo(promised.codec, frame.width_px, frame.height_px, extradata, promised.nominal_fps)
    _check_size(found)
    return found


def _check_size(info: StreamInfo) -> None:
    if (
        info.width_px * info.height_px > MAX_PIXELS
        or max(info.width_px, info.height_px) > MAX_SIDE_PX
        or len(info.extradata) > MAX_EXTRADATA_BYTES
    ):
        raise CameraError(ProblemCode.TOO_LARGE, f"{info.width_px}x{info.height_px}")
