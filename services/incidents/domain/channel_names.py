"""What channels are called, in Arabic and in English."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from services.domain.channels import Channel
from services.domain.texts import Bilingual, TextsFile
from services.incidents.domain.severity import TEXTS


def load_channel_names(path: Path | None = None) -> Mapping[Channel, Bilingual]:
    """Read ``channels.toml`` (None: the one shipped): each channel that reaches somebody. `TextsError` names all faults."""
    file = TextsFile(TEXTS / "channels.toml" if path is None else path)
    names: dict[Channel, Bilingual] = {
        channel: file.table(channel.value).bilingual("name")
        for channel in Channel
        if channel not in (Channel.UNSPECIFIED, Channel.INTERNAL)
    }
    file.finish()
    return MappingProxyType(names)
