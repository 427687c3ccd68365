"""How the documentation's blocks are found and run: what would let a wrong one pass."""

from __future__ import annotations

import pytest
from page_blocks import PARTS, BlockFailed, ProgramMissing, blocks_of, reading


@pytest.fixture
def page(tmp_path):
    """What writes a page of a text."""

    def write(text):
        path = tmp_path / "page.md"
        path.write_text(text, "utf-8")
        return blocks_of(path)

    return write


@pytest.fixture
def reader(tmp_path):
    (tmp_path / "clone").mkdir()
    with reading(tmp_path / "clone") as reader:
        yield reader


def test_blocks_come_in_their_order_with_what_goes_before_them(page):
    text = "<!-- first, python:\na = 1\n-->\n```python\na\n```\n- x\n\n  ```sh\n  ls\n  ```\n"
    blocks = page(text + "```text\nno\n```\n")
    assert [(one.kind, one.code) for one in blocks] == [
        ("python", "a = 1\n"),
        ("python", "a\n"),
        ("sh", "ls\n"),
    ]


def test_a_block_that_is_not_run_says_why(page):
    (block,) = page("<!-- not run: needs Docker -->\n```sh\ndocker ps\n```\n")
    assert (block.kind, block.reason) == ("", "needs Docker")


def test_a_language_that_nobody_knows_is_not_passed_over(page):
    with pytest.raises(KeyError):
        page("```ruby\nputs 1\n```\n")


@pytest.mark.parametrize(
    "text",
    [
        "```sh\nfalse\ntrue\n```\n",
        "```sh\nseem segment nothing.jpg --point 1,1\n```\n",
        "```sh\npip install 'seem-server[nothing]'\n```\n",
        "```console\n$ echo yes\nno\n```\n",
        "```python\n1 / 0\n```\n",
        "```python\nawait 1\n```\n",
    ],
)
def test_what_fails_is_told(text, page, reader):
    (block,) = page(text)
    with pytest.raises(BlockFailed, match=r"page\.md:1"):
        reader.follow(block)


def test_what_is_right_passes_and_names_last(page, reader):
    text = "```python\na = 1\n```\n"
    text += "```python\nimport asyncio\nawait asyncio.sleep(0)\nassert a == 1\n```\n"
    for block in page(text + "```console\n$ echo 12 pixels\n13 pixels\n$ echo yes\nyes\n```\n"):
        reader.follow(block)


def test_a_server_goes_on_and_makes_room_for_the_next(page, reader):
    text = "```sh\nseem serve --bundle fake\nseem serve --bundle fake --log-level error\n```\n"
    text += (
        "```python\nimport seem_client\nwith seem_client.connect('localhost:50051') as client:\n"
    )
    for block in page(text + "    assert client.model().provider == 'fake'\n```\n"):
        reader.follow(block)


def test_servers_on_ports_of_their_own_go_on_beside_each_other(page, reader):
    text = "```sh\nseem serve --bundle fake --port 50051\nseem serve --bundle fake --port 50052\n"
    for port in ("50051", "50052"):
        text += f"seem health localhost:{port}\n"
    (block,) = page(text + "```\n")
    reader.follow(block)


def test_a_program_that_is_not_installed_is_nobodys_fault(page, reader):
    (block,) = page(f"```sh\n.venv/bin/python {PARTS}/service.py no-such-program\n```\n")
    with pytest.raises(ProgramMissing, match="no-such-program"):
        reader.follow(block)
