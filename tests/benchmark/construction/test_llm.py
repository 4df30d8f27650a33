import json
from pathlib import Path

import pytest

from benchmark.construction.config import Llm, configured
from benchmark.construction.llm import Client, Request, answer_all, check_cost, estimate
from benchmark.errors import InputError
from tests.benchmark.construction.fake_endpoint import Reply, completion, endpoint

ASK = [{"role": "system", "content": "You annotate."}, {"role": "user", "content": "What does the head do?"}]


def _client(url: str, cache: Path, waits: list[float] | None = None, **settings: object) -> Client:
    llm = Llm(endpoint=url, model="tiny", **{"requests_per_minute": 1e6, "retries": 3, **settings})
    return Client(llm, cache, (waits if waits is not None else []).append)


def test_a_conversation_is_sent_in_the_openai_protocol_and_its_answer_evened_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "k-123")
    with endpoint(completion('  "The head\n nods."  ')) as server:
        assert _client(server.url, tmp_path, key_variable="MY_KEY", temperature=0.2).complete(ASK) == "The head nods."
    assert server.requests == [
        {
            "path": "/v1/chat/completions",
            "model": "tiny",
            "messages": ASK,
            "temperature": 0.2,
            "max_tokens": 220,
            "seed": 0,
        }
    ]
    assert server.headers[0]["Authorization"] == "Bearer k-123"
    assert not any("k-123" in path.read_text() for path in tmp_path.rglob("*.json"))


def test_answers_are_cached_by_content(tmp_path: Path) -> None:
    with endpoint() as server:
        first = _client(server.url, tmp_path).complete(ASK)
        assert _client(server.url, tmp_path).complete(ASK) == first
        assert len(server.requests) == 1
        _client(server.url, tmp_path, temperature=0.1).complete(ASK)
        _client(server.url, tmp_path).complete([*ASK, {"role": "user", "content": "And then?"}])
        assert len(server.requests) == 3
        _client(server.url, tmp_path).complete(ASK, seed=5)  # another clip with the same evidence
        assert [request["seed"] for request in server.requests] == [0, 0, 0, 5]


def test_a_damaged_cache_entry_is_asked_for_again(tmp_path: Path) -> None:
    with endpoint() as server:
        client = _client(server.url, tmp_path)
        client.complete(ASK)
        next(tmp_path.rglob("*.json")).write_text("{")
        client.complete(ASK)
    assert len(server.requests) == 2


def test_busy_broken_and_empty_replies_are_tried_again_with_growing_waits(tmp_path: Path) -> None:
    waits: list[float] = []
    replies: tuple[Reply, ...] = ((500, {}, b"oops"), (200, {}, b"no json"), completion("  "), completion("Done."))
    with endpoint(*replies) as server:
        assert _client(server.url, tmp_path, waits, backoff_s=0.5).complete(ASK) == "Done."
    assert [wait for wait in waits if wait >= 0.5] == [0.5, 1.0, 2.0]


def test_the_endpoints_own_wait_is_kept(tmp_path: Path) -> None:
    waits: list[float] = []
    with endpoint((429, {"Retry-After": "7"}, b"slow down"), completion("Done.")) as server:
        assert _client(server.url, tmp_path, waits).complete(ASK) == "Done."
    assert 7.0 in waits


def test_a_refusal_is_not_tried_again_and_says_what_to_mend(tmp_path: Path) -> None:
    with endpoint((401, {}, b"bad key")) as server, pytest.raises(InputError, match=r"bad key.*MMBENCH_LLM_KEY"):
        _client(server.url, tmp_path).complete(ASK)
    assert len(server.requests) == 1


def test_an_endpoint_that_stays_broken_ends_in_an_error_with_its_words(tmp_path: Path) -> None:
    with endpoint(*[(503, {}, b"overloaded")] * 4) as server, pytest.raises(InputError, match="overloaded after 4 att"):
        _client(server.url, tmp_path).complete(ASK)
    with pytest.raises(InputError, match="no answer"):
        _client("http://127.0.0.1:9", tmp_path, retries=0).complete(ASK)


def test_requests_keep_below_the_rate_limit(tmp_path: Path) -> None:
    waits: list[float] = []
    with endpoint() as server:
        client = _client(server.url, tmp_path, waits, requests_per_minute=60)
        for number in range(4):
            client.complete([{"role": "user", "content": str(number)}])
    # The clock of the test does not advance with its sleeps: the n-th request is asked to wait n seconds.
    assert [round(wait) for wait in waits] == [1, 2, 3]


def test_cost_is_estimated_before_anything_is_sent_and_cached_answers_are_free(tmp_path: Path) -> None:
    requests = [Request(str(k), "action", [{"role": "user", "content": "x" * 4000 + str(k)}]) for k in range(10)]
    with endpoint() as server:
        client = _client(server.url, tmp_path, price_in=2.0, price_out=10.0, requests_per_minute=30)
        client.complete(requests[0].messages)
        found = estimate(requests, client)
    assert (found.requests, found.cached) == (9, 1)
    assert found.tokens_in == pytest.approx(9 * 1006, rel=0.01)
    assert found.cost == pytest.approx((found.tokens_in * 2 + 9 * 60 * 10) / 1e6, rel=0.01)
    assert found.minutes == pytest.approx(9 / 30)
    assert len(server.requests) == 1


def test_a_run_above_the_limit_is_refused(tmp_path: Path) -> None:
    requests = [Request("a", "action", ASK)]
    costly = _client("http://x/v1", tmp_path, price_in=1e6, price_out=1e6, most_cost=1.0)
    with pytest.raises(InputError, match="too much"):
        check_cost(estimate(requests, costly), costly.settings)
    check_cost(estimate(requests, _client("http://x/v1", tmp_path)), Llm())


def test_all_answers_come_in_order_and_those_before_a_failure_stay_in_the_cache(tmp_path: Path) -> None:
    requests = [Request(str(k), "action", [{"role": "user", "content": f"question {k}"}]) for k in range(12)]
    found: list[tuple[str, str]] = []
    with endpoint() as server:
        answer_all(requests, _client(server.url, tmp_path), lambda r, text: found.append((r.clip_id, text)))
    assert [clip for clip, _ in found] == [str(k) for k in range(12)]
    assert all(f"question {clip}" in text for clip, text in found)
    more = [*requests, Request("x", "action", ASK)]
    with endpoint((400, {}, b"no")) as server, pytest.raises(InputError, match="refuses"):
        answer_all(more, _client(server.url, tmp_path), lambda _r, _t: None)
    assert len(server.requests) == 1  # the twelve were cached
    assert all(json.loads(path.read_text())["answer"] for path in tmp_path.rglob("*.json"))


def test_an_endpoint_must_be_a_web_address_and_a_limit_needs_prices() -> None:
    config = configured(None, annotator="llm", endpoint="file:///etc/passwd", model="tiny")
    config = config.model_copy(update={"llm": config.llm.model_copy(update={"most_cost": 1.0})})
    with pytest.raises(InputError) as stop:
        config.checked()
    assert {problem.where for problem in stop.value.problems} == {"llm.endpoint", "llm.most_cost"}
