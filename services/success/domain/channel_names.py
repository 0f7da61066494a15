"""How the channels are called before people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from services.domain.channels import Channel
from services.domain.texts import Bilingual, TextsFile


def load_channel_names(folder: Path) -> Mapping[Channel, Bilingual]:
    """Read ``channels.toml`` in ``folder``, a name for each channel; `TextsError` names every fault of it."""
    file = TextsFile(folder / "channels.toml")
    names = {channel: table.bilingual("name") for channel, table in file.each(Channel).items()}
    file.finish()
    return MappingProxyType(names)
