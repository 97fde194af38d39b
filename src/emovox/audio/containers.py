"""Recognise what a file is by its first bytes, whatever its name, and what can decode it."""

from __future__ import annotations

from typing import NamedTuple

from emovox.audio.mp3 import first_frame, frame_at
from emovox.audio.view import FileView

HEAD_BYTES = 4096
"""Bytes from which a form is recognised: enough for twenty packets of a transport stream."""

_MOST_TAGS = 8
"""Most ID3 tags before the sound."""

_SEARCHED_BYTES = 2**16
"""Bytes in which the first frame of a stream without a header is searched."""

_GSM_FRAME, _GSM_FRAMES = 33, 4
"""Bytes of a GSM 06.10 frame, and frames that must look like one."""


class FileForm(NamedTuple):
    """A form of recording: its name in messages, and what decodes it.

    `demuxer` is ffmpeg's name, None if ffmpeg cannot read it or nobody should ask it; `sndfile` says whether libsndfile
    is asked first.
    """

    name: str
    demuxer: str | None
    sndfile: bool = False


_WAV = FileForm("wav", "wav", sndfile=True)
_MP3 = FileForm("mp3", "mp3", sndfile=True)
_MP4 = FileForm("mp4", "mp4")
_AAC = FileForm("aac", "aac")
_OGG = FileForm("ogg", "ogg", sndfile=True)
_AIFF = FileForm("aiff", "aiff", sndfile=True)
_TS = FileForm("mpegts", "mpegts")
GSM = FileForm("gsm", None, sndfile=True)

_MAGIC: tuple[tuple[int, bytes, FileForm], ...] = (
    (8, b"AVI ", FileForm("avi", "avi")),
    *((0, magic, _WAV) for magic in (b"RIFF", b"RIFX", b"RF64", b"BW64")),
    (0, b"fLaC", FileForm("flac", "flac", sndfile=True)),
    (0, b"OggS", _OGG),
    (8, b"AIFF", _AIFF),
    (8, b"AIFC", _AIFF),
    (0, b"caff", FileForm("caf", "caf", sndfile=True)),
    (0, b".snd", FileForm("au", "au", sndfile=True)),
    (0, b"riff\x2e\x91\xcf\x11", FileForm("w64", "w64", sndfile=True)),
    (0, b"Creative Voice File\x1a", FileForm("voc", "voc", sndfile=True)),
    (0, b"NIST_1A\n", FileForm("nist", "nistsphere", sndfile=True)),
    *((4, magic, _MP4) for magic in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")),
    (0, b"\x1aE\xdf\xa3", FileForm("matroska", "matroska")),
    (0, b"0&\xb2u\x8ef\xcf\x11", FileForm("asf", "asf")),
    (0, b"FLV\x01", FileForm("flv", "flv")),
    (0, b"\x00\x00\x01\xba", FileForm("mpeg", "mpeg")),
    (0, b"#!AMR", FileForm("amr", "amr")),
    (0, b"ADIF", _AAC),
    (0, b"V\xe0", FileForm("loas", "loas")),
    (0, b"\x7f\xfe\x80\x01", FileForm("dts", "dts")),
    (0, b"wvpk", FileForm("wavpack", "wv")),
    (0, b"MAC ", FileForm("ape", "ape")),
    (0, b"TTA1", FileForm("tta", "tta")),
    (0, b"MPCK", FileForm("musepack", "mpc8")),
    (0, b"MP+", FileForm("musepack", "mpc")),
    (0, b".RMF", FileForm("realmedia", "rm")),
    (0, b"DSD ", FileForm("dsf", "dsf")),
    (0, b"FRM8", FileForm("dff", "iff")),
    (0, b"MThd", FileForm("midi", None)),
    (0, b"#!SILK", FileForm("silk", None)),
    (0, b"\x02#!SILK", FileForm("silk", None)),
    (0, b"#EXTM3U", FileForm("m3u playlist", None)),
)
"""Offset and value of the first bytes, and the form."""


class Found(NamedTuple):
    """A form (None if it is unknown) and the position at which it begins."""

    form: FileForm | None
    start: int = 0


def recognise(view: FileView) -> Found:
    r"""Return the form of a file and where it begins: behind ID3 tags, and behind the rest of a frame that was cut.

    >>> import io
    >>> recognise(FileView(io.BytesIO(b"\x00\x00\x00\x20ftypM4A "))).form.demuxer
    'mp4'
    >>> recognise(FileView(io.BytesIO(b"BW64\xff\xff\xff\xffWAVE"))).form.sndfile
    True
    """
    start = _behind_tags(view)
    head = view.at(start, HEAD_BYTES)
    form = next((form for offset, magic, form in _MAGIC if head.startswith(magic, offset)), None)
    form = form or _by_frame(head) or (GSM if _is_gsm(head, view.size - start) else None)
    if form is not None:
        return Found(form, start)
    return _searched(view.at(start, _SEARCHED_BYTES), start)


def _behind_tags(view: FileView) -> int:
    start = 0
    for _ in range(_MOST_TAGS):
        head = view.at(start, 10)
        if head[:3] != b"ID3" or len(head) < 10:
            break
        size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        start += 10 + size + (10 if head[5] & 0x10 else 0)
    return start


def _by_frame(head: bytes) -> FileForm | None:
    """Return the form of a stream of frames without a header, if `head` begins with one."""
    for packet, offset in ((188, 0), (192, 4), (204, 0)):  # broadcast, with time codes (m2ts), with check bytes
        if len(head) > offset + 3 * packet and all(head[offset + k * packet] == 0x47 for k in range(4)):
            return _TS
    if len(head) < 6:
        return None
    if head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        if head[1] & 0xF6 == 0xF0:
            return _AAC
        return _MP3 if frame_at(head, 0) is not None else None
    if head[:2] == b"\x0b\x77":
        return FileForm("eac3", "eac3") if head[5] >> 3 > 10 else FileForm("ac3", "ac3")
    return None


def _is_gsm(head: bytes, size: int) -> bool:
    frames = head[: size // _GSM_FRAME * _GSM_FRAME : _GSM_FRAME]
    return len(frames) >= _GSM_FRAMES and all(byte >> 4 == 0xD for byte in frames)


def _searched(head: bytes, start: int) -> Found:
    if (offset := first_frame(head)) is not None:
        return Found(_MP3, start + offset)
    for offset in range(min(188, len(head))):
        if head[offset] == 0x47 and _by_frame(head[offset:]) is _TS:
            return Found(_TS, start + offset)
    offset = head.find(b"\xff")
    while 0 <= offset < len(head) - 7:
        if _adts_chain(head, offset):
            return Found(_AAC, start + offset)
        offset = head.find(b"\xff", offset + 1)
    return Found(None)


def _adts_chain(head: bytes, offset: int) -> bool:
    """Return whether three ADTS frames follow each other."""
    for _ in range(3):
        frame = head[offset : offset + 7]
        length = (frame[3] & 3) << 11 | frame[4] << 3 | frame[5] >> 5 if len(frame) == 7 else 0
        if length < 8 or frame[0] != 0xFF or frame[1] & 0xF6 != 0xF0:
            return False
        offset += length
    return True
