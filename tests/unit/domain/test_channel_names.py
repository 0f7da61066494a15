"""The names of the channels."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.domain.channel_names import load_channel_names
from services.domain.channels import Channel
from services.domain.texts import TextsError


def test_every_channel_has_a_name_in_both_languages(tmp_path: Path) -> None:
    assert set(load_channel_names()) == set(Channel)
    path = tmp_path / "channels.toml"
    path.write_text('[email]\nname_ar = "البريد"\nname_en = "e-mail"\n[fax]\n')
    with pytest.raises(TextsError) as refused:
        load_channel_names(path)
    assert {"whatsapp: is missing", "fax: is not a key that is read here"} <= set(refused.value.problems)
