"""The pages about the interface: what they show is what the description says, and nothing comes from elsewhere."""

import re
import subprocess
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from polytraders.access.permissions import Role
from polytraders.api.interface import ENDPOINTS
from polytraders.api.pages import described
from tests.api.conftest import Keyed
from tests.api.test_reading import problem
from tests.web.conftest import Says, entered
from tests.written import Written

QUERIES_MAX = 15


def test_every_endpoint_stands_on_the_page_and_in_the_reference(log: Written, ada: Client) -> None:
    about, reference = (ada.get(reverse(name)).content.decode() for name in ("api", "api-docs"))
    for each in ENDPOINTS:
        assert f"#{each.name}" in about
        assert f'id="{each.name}"' in reference
    for text in (about, reference):
        assert not re.search(r"""(src|href)=["'](https?:)?//(?!testserver)""", text)
        assert "<script>" not in text
        assert " style=" not in text


def test_the_reference_has_a_panel_for_every_form_that_it_names(log: Written, ada: Client) -> None:
    text = ada.get(reverse("api-docs")).content.decode()
    named = set(re.findall(r'href="#(schema-\w+)"', text))
    assert len(named) > 20
    assert named <= set(re.findall(r'id="(schema-\w+)"', text))


def test_the_description_is_complete_and_has_a_tag(log: Written, ada: Client, keyed: Keyed) -> None:
    answer = ada.get("/api/v1/openapi.json")
    assert answer.json() == described()
    assert ada.get("/api/v1/openapi.json", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    names = set()
    for path, methods in described()["paths"].items():
        for method, said in methods.items():
            names.add(said["operationId"])
            assert said["tags"] and said["summary"] and said["x-permission"], path
            assert {"401", "403", "413", "422", "429", "503"} <= set(said["responses"])
            if method != "get":
                assert "409" in said["responses"]
                assert "Idempotency-Key" in {each["name"] for each in said["parameters"]}
                if "requestBody" in said:
                    assert said["requestBody"]["content"]["application/json"]["example"], path
            if "{" in path:
                assert "404" in said["responses"]
    assert len(names) == len(ENDPOINTS)


def test_what_is_not_there_is_told_as_a_problem(log: Written, ada: Client) -> None:
    for path in ("nowhere", "decisions/1:0/x/y", "markets//"):
        problem(ada.get(f"/api/v1/{path}"), 404, "GOV_NOT_FOUND")


@pytest.mark.parametrize("name", ["api", "api-docs", "api-webhooks"])
def test_pages_ask_little_and_only_who_may(log: Written, ada: Client, name: str) -> None:
    ada.get(reverse(name))
    with CaptureQueriesContext(connection) as asked:
        assert ada.get(reverse(name)).status_code == 200
    assert len(asked) <= QUERIES_MAX
    assert Client().get(reverse(name)).status_code == 302
    assert entered("nobody").get(reverse(name)).status_code == 403
    if name != "api-webhooks":
        assert entered("reader", Role.READ_ONLY).get(reverse(name)).status_code == 200


LISTS = [each for each in ENDPOINTS if each.method == "GET" and "{" not in each.path]


@pytest.mark.parametrize("endpoint", LISTS, ids=[each.name for each in LISTS])
def test_lists_ask_as_much_whatever_their_size(booked: None, ada: Client, says: Says, endpoint: Any) -> None:
    says()
    counts = []
    for limit in (1, 200):
        with CaptureQueriesContext(connection) as asked:
            answer = ada.get(f"/api/v1{endpoint.path}?limit={limit}")
        assert answer.status_code == 200, answer.content
        counts.append(len(asked))
        assert not [each for each in asked.captured_queries if "OFFSET" in each["sql"].upper()]
        # The strip's row brings the number of urgent incidents, of which a few are open.
        large = [each["sql"] for each in asked.captured_queries if '"monitoring_loop"' not in each["sql"]]
        assert not [sql for sql in large if "COUNT(*)" in sql.upper()]
    assert counts[0] == counts[1] <= QUERIES_MAX


PAGED = (
    "markets",
    "decisions",
    "orders",
    "fills",
    "positions",
    "ledger/accounts",
    "ledger/transfers",
    "events",
    "audit",
)


@pytest.mark.parametrize("path", PAGED)
def test_pages_of_every_list_follow_each_other_without_a_gap(booked: None, ada: Client, path: str) -> None:
    whole = ada.get(f"/api/v1/{path}?limit=200").json()["items"]
    found: list[Any] = []
    cursor, turns = "", 0
    while turns < 300:
        turns += 1
        body = ada.get(f"/api/v1/{path}?limit=7{cursor}").json()
        found += body["items"]
        if body["next"] is None or len(found) >= len(whole):
            break
        cursor = f"&cursor={body['next']}"
    assert found[: len(whole)] == whole
    assert path == "audit" or len(whole) > 0


def test_single_objects_are_those_of_the_lists(booked: None, ada: Client) -> None:
    for path, key in (("orders", "id"), ("fills", "id"), ("positions", "id"), ("markets", "index"),
                      ("ledger/transfers", "id"), ("reason-codes", "code"), ("strategies", "name")):  # fmt: skip
        for each in ada.get(f"/api/v1/{path}").json()["items"][:3]:
            one = ada.get(f"/api/v1/{path}/{each[key]}").json()
            assert each.items() <= one.items()


def test_why_says_what_the_packet_says(log: Written, ada: Client) -> None:
    item = ada.get("/api/v1/decisions?verdict=reject&limit=1").json()["items"][0]
    why = ada.get(f"/api/v1/decisions/{item['id']}/why").json()
    packet = ada.get(f"/api/v1/decisions/{item['id']}").json()
    assert (why["reason_code"], why["verdict"]) == (packet["code"], "reject")
    first = next(vote for vote in why["votes"] if vote["is_first"])
    assert first["reason_code"] == why["reason_code"]
    assert first["distance"] < 0
    assert "REJECTED" in why["words"]
    assert [vote["check"] for vote in why["votes"]] == [vote["check"] for vote in packet["votes"]]


def test_the_commands_of_the_reference_are_commands(log: Written, ada: Client) -> None:
    text = ada.get(reverse("api-docs")).content.decode()
    import html

    commands = [html.unescape(one) for one in re.findall(r'<pre class="told">(curl.*?)</pre>', text, re.DOTALL)]
    assert len(commands) == len(ENDPOINTS)
    for command in commands:
        checked = subprocess.run(["bash", "-n"], input=command, text=True, capture_output=True, timeout=10)
        assert checked.returncode == 0, checked.stderr
