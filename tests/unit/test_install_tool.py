"""Pip's configuration decides what is installed, also where uv installs."""

import pytest

from tools.install import uv_options

BEST = "--index-strategy=unsafe-best-match"
"""Versions of all indexes count, as in pip."""


def test_indexes_and_certificates_are_passed_on() -> None:
    configuration = """:env:.disable-pip-version-check='1'
        :env:.find-links='/own/wheels'
        global.cert='/etc/own certificates.pem'
        global.extra-index-url='file:///one https://two/simple'
        global.find-links='/other'
        global.timeout='60'
        install.constraint='a.txt'"""
    assert uv_options(configuration) == [
        BEST, "--cert=/etc/own certificates.pem", "--extra-index-url=file:///one", "--extra-index-url=https://two/simple",
        "--find-links=/own/wheels", "--constraint=a.txt",
    ]  # fmt: skip
    assert uv_options("global.index-url='https://mirror/simple'") == [BEST, "--index-url=https://mirror/simple"]
    assert uv_options("") == [BEST]
    assert uv_options(":env:.no-cache-dir='1'\n:env:.root-user-action='ignore'") == [BEST, "--no-cache"]
    assert uv_options("freeze.timeout='10'\nlist.format='columns'") == [BEST], "of other commands"


@pytest.mark.parametrize("name", ["no-binary", "proxy", "trusted-host", "require-hashes", "target"])
def test_with_any_other_setting_pip_installs(name: str) -> None:
    assert uv_options(f":env:.find-links='/wheels'\ninstall.{name}='x'") is None
