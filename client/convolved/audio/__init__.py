"""Recordings in files: WAV, FLAC and OGG by libsndfile, arrays by .npy.

Channels come first and time last, as everywhere in this product. Whatever is read or written can
go block by block, so that no recording need fit in memory. The folder:

    recording   Recording and Header: what is in a file, as values
    formats     which file endings stand for which formats and sample formats
    reading     header, read, blocks
    writing     write, Writer
    sinks       the files that blocks go to
    replacing   a file appears only once it is complete
    raw         samples without a header, as they go through pipes
    peak        decibels, Fit, fit_peak: no sample is ever clipped in silence
    resampling  resample

It needs the extra `cli`; what is missing says so when it is used, not when it is imported.
"""

from convolved.audio.peak import Fit, decibels, fit_peak
from convolved.audio.reading import blocks, header, read
from convolved.audio.recording import Header, Recording
from convolved.audio.resampling import resample
from convolved.audio.writing import Writer, write

__all__ = [
    "Fit",
    "Header",
    "Recording",
    "Writer",
    "blocks",
    "decibels",
    "fit_peak",
    "header",
    "read",
    "resample",
    "write",
]
