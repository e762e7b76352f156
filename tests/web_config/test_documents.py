"""The examples in the documents."""

from __future__ import annotations

import re
from pathlib import Path

import bcrypt
import yaml

from exporter.web_config import parse
from exporter.web_config.model import ClientAuth

TEXT = (Path(__file__).parents[2] / "docs" / "web-configuration.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
WRITTEN = re.findall(r"<<'END'\n(.*?)END\n", TEXT, re.DOTALL)


def test_the_example_is_valid_and_has_the_password_that_it_says() -> None:
    example, scrape = BLOCKS
    config = parse(example, "web.yml")
    assert config.tls is not None
    assert config.tls.client_auth is ClientAuth.REQUIRED
    (job,) = yaml.safe_load(scrape)["scrape_configs"]
    user, password = job["basic_auth"]["username"], job["basic_auth"]["password"]
    assert bcrypt.checkpw(password.encode(), config.users[user])


def test_the_file_of_the_commands_is_valid() -> None:
    (written,) = WRITTEN
    config = parse(written, "web.yml")
    assert config.tls is not None
    assert bcrypt.checkpw(b"prometheus", config.users["prometheus"])
