from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, DummyCookieJar
from label_studio_words import PICTURE, png, studio

from seem_client.adapters.label_studio.fetching import Fetcher, PictureOutOfReach, Source
from seem_wire.errors import ImageTooLarge, InvalidValue

LEGACY, OTHER, PERSONAL = "legacy", "other", "a.personal.one"


@asynccontextmanager
async def fetching(**source):
    async with studio() as fake, ClientSession(cookie_jar=DummyCookieJar()) as session:
        yield fake, Fetcher(Source(fake.url, **source), session)


async def test_a_path_is_label_studios_own_and_the_token_goes_along():
    async with fetching(token=LEGACY) as (fake, fetcher):
        assert await fetcher.fetch(PICTURE) == png()
        assert await fetcher.fetch(fake.url.rstrip("/") + PICTURE) == png()
        assert fake.asked == [(PICTURE, "Token legacy")] * 2


async def test_without_a_token_of_the_operator_the_projects_is_shown():
    async with fetching() as (fake, fetcher):
        await fetcher.fetch(PICTURE, token=OTHER)
        await fetcher.fetch(PICTURE)
        assert [shown for _, shown in fake.asked] == ["Token other", ""]


async def test_a_personal_access_token_is_exchanged_once_and_again_when_it_is_too_old():
    async with fetching(token=PERSONAL) as (fake, fetcher):
        fake.files["/closed/a.png"] = png()
        assert await fetcher.fetch(PICTURE) == png()
        assert await fetcher.fetch(PICTURE) == png()
        assert await fetcher.fetch("/closed/a.png") == png()  # takes the second only
        assert fake.asked == [
            ("/api/token/refresh", PERSONAL),
            (PICTURE, "Bearer access-1"),
            (PICTURE, "Bearer access-1"),
            ("/closed/a.png", "Bearer access-1"),
            ("/api/token/refresh", PERSONAL),
            ("/closed/a.png", "Bearer access-2"),
        ]


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data",
        "//other.example/x.png",
        "s3://bucket/x.png",
        "ftp://127.0.0.1/x",
        "http://[::bad",
        "data:image/png;base64,AAAA",
    ],
)
async def test_nothing_is_fetched_from_anywhere_else(address):
    async with fetching(token=LEGACY) as (fake, fetcher):
        with pytest.raises(PictureOutOfReach):
            await fetcher.fetch(address)
        assert fake.asked == []


async def test_a_named_host_is_asked_without_a_token():
    async with (
        studio() as other,
        fetching(token=LEGACY, image_hosts=frozenset({"127.0.0.1"})) as (_, fetcher),
    ):
        other.files["/x.png"] = png(9)
        assert await fetcher.fetch(other.url + "x.png") == png(9)
        assert other.asked == [("/x.png", "")]


async def test_a_redirect_to_another_host_carries_no_token_and_must_be_allowed():
    async with studio() as other, fetching(token=LEGACY) as (fake, fetcher):
        fake.redirects[PICTURE] = other.url + "secret.png"
        with pytest.raises(PictureOutOfReach, match="which is not Label Studio"):
            await fetcher.fetch(PICTURE)
        assert other.asked == []
        allowed = Source(fake.url, LEGACY, frozenset({"127.0.0.1"}))
        other.files["/secret.png"] = png(3)
        assert await Fetcher(allowed, fetcher._session).fetch(PICTURE) == png(3)
        assert other.asked == [("/secret.png", "")]


async def test_a_redirect_within_label_studio_is_followed_and_not_for_ever():
    async with fetching(token=LEGACY) as (fake, fetcher):
        fake.redirects["/old.png"] = PICTURE
        assert await fetcher.fetch("/old.png") == png()
        fake.redirects[PICTURE] = "/old.png"
        with pytest.raises(PictureOutOfReach, match="too often"):
            await fetcher.fetch(PICTURE)


async def test_a_signature_in_an_address_is_not_told():
    async with fetching() as (_, fetcher):
        for address in ("s3://bucket/x.png?sig=secret", "/gone.png?sig=secret"):
            with pytest.raises(PictureOutOfReach) as told:
                await fetcher.fetch(address)
            assert "secret" not in told.value.message


async def test_what_is_too_large_is_not_read_to_its_end():
    async with fetching() as (_, fetcher):
        with pytest.raises(ImageTooLarge, match="50 bytes"):
            await fetcher.fetch(PICTURE, most=50)


async def test_what_is_refused_missing_or_down_is_told():
    async with fetching() as (fake, fetcher):
        with pytest.raises(PictureOutOfReach, match="does not let the adapter"):
            await fetcher.fetch("/closed/a.png")
        with pytest.raises(PictureOutOfReach, match=r"has no picture /x.png \(404\)"):
            await fetcher.fetch("/x.png")
        down = Fetcher(Source("http://127.0.0.1:1"), fetcher._session)
        with pytest.raises(PictureOutOfReach, match="cannot be fetched"):
            await down.fetch(PICTURE)
        assert len(fake.asked) == 2


@pytest.mark.parametrize("address", ["", "localhost:8080", "file:///x", "http://"])
def test_an_address_that_is_none_of_the_web_is_refused_at_the_beginning(address):
    with pytest.raises(InvalidValue, match="no address such as"):
        Source(address)


def test_a_token_does_not_show():
    assert LEGACY not in repr(Source("http://x", LEGACY))
