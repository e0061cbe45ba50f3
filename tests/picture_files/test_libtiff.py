"""What libtiff says goes to the log, in threads too, and never to standard error."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers.pictures import encoded
from PIL import Image

from cnn_widgets.images.loading import load_image
from cnn_widgets.picture_files.libtiff import send_to_log

pytestmark = pytest.mark.skipif(os.name == "nt", reason="libtiff is inside Pillow there")

PIXELS = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)


def damaged_tiff() -> bytes:
    data = bytearray(encoded(Image.fromarray(PIXELS), "TIFF", compression="tiff_lzw"))
    data[2000:3000] = b"\xff" * 1000
    return bytes(data)


def test_a_damaged_tiff_says_why_in_the_log_and_nothing_on_standard_error(caplog, capfd):
    with (
        caplog.at_level(logging.INFO, logger="cnn_widgets"),
        pytest.raises(ValueError, match="is damaged and cannot be decoded"),
    ):
        load_image({"name": "holiday.tif", "content": damaged_tiff()})
    (record,) = caplog.records
    assert record.levelname == "INFO"
    assert record.name.startswith("cnn_widgets.")
    assert "libtiff: Using code not yet in table" in record.getMessage()
    assert capfd.readouterr() == ("", "")


def test_the_numbers_in_a_message_are_those_of_the_file(caplog):
    data = encoded(Image.fromarray(PIXELS), "TIFF", compression="tiff_adobe_deflate")
    with (
        caplog.at_level(logging.INFO, logger="cnn_widgets"),
        pytest.raises(ValueError, match="is damaged"),
    ):
        load_image(data[:300] + bytes(1000) + data[1300:])
    assert any("Decoding error at scanline 0" in each.getMessage() for each in caplog.records)


def test_many_threads_at_once_lose_no_message_and_mix_none(caplog):
    def read(number: int) -> str:
        with pytest.raises(ValueError, match=f"{number}.tif is damaged") as caught:
            load_image({"name": f"{number}.tif", "content": damaged_tiff()})
        return str(caught.value)

    with caplog.at_level(logging.INFO, logger="cnn_widgets"), ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(read, range(200)))) == 200
    assert len(caplog.records) == 200
    assert len({each.getMessage() for each in caplog.records}) == 1


def test_it_is_arranged_once():
    assert send_to_log() is not None
    assert send_to_log() is send_to_log()


def test_a_script_without_any_logging_stays_silent_to_its_end():
    code = (
        "import sys; from cnn_widgets.images.loading import load_image\n"
        "try: load_image(sys.stdin.buffer.read())\n"
        "except ValueError as error: print(error)"
    )
    call = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(call, input=damaged_tiff(), capture_output=True)
    assert done.returncode == 0
    assert done.stderr == b""
    assert b"is damaged and cannot be decoded" in done.stdout
