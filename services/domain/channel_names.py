"""What channels are called before people, in Arabic and in English."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from services.domain.channels import Channel
from services.domain.texts import Bilingual, TextsFile

CHANNELS_FILE = Path(__file__).resolve().parent / "channels.toml"


def load_channel_names(path: Path = CHANNELS_FILE) -> Mapping[Channel, Bilingual]:
    """Read the name of each channel; `TextsError` names every fault of the file."""
    file = TextsFile(path)
    names = {channel: table.bilingual("name") for channel, table in file.each(Channel).items()}
    file.finish()
    return MappingProxyType(names)
