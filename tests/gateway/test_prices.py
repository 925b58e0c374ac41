"""Sums are exact, never below what was spent, and a name that is close is not the same model."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.gateway import FREE, PUBLISHED, Prices, Tokens, dollars

MODELS = [
    "claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-5", "claude-sonnet-4-6",
    "claude-opus-4-6", "claude-sonnet-5", "claude-opus-4-7", "claude-opus-4-8",
    "claude-opus-5", "claude-fable-5", "gpt-5.4", "gpt-5.5", "gpt-5.6-sol",
    "gpt-5.6-terra", "gpt-5.6-luna", "gpt-5.3-codex", "gpt-5.3-codex-spark", "kimi-k2.5",
    "kimi-k2.6", "kimi-k3", "minimax-m2.5", "qwen3.7-max", "glm-5", "glm-5.1", "glm-5.2",
    "grok-4.5", "grok-4.6", "grok-build-0.1", "glm-5.3", "deepseek-v4-flash",
    "deepseek-v4-pro",
]  # fmt: skip


def test_every_model_that_is_offered_has_a_price():
    assert [name for name in MODELS if name not in PUBLISHED] == []


def test_names_are_found_with_provider_and_date_and_no_further():
    prices = Prices()
    sonnet = PUBLISHED["claude-sonnet-4-5"]
    for name in (
        "claude-sonnet-4-5",
        "anthropic/claude-sonnet-4-5",
        "claude-sonnet-4-5-20250929",
        "Claude-Sonnet-4-5-latest",
    ):
        assert prices.of(name) == sonnet
    for name in ("gpt-5.4-pro", "gpt-5.4x", "claude-sonnet-4-5-turbo", "", "demo"):
        assert prices.of(name) == prices.unknown
        assert prices.of(name, unknown_is_free=True) == FREE
    assert prices.of("gpt-5.4", unknown_is_free=True) == PUBLISHED["gpt-5.4"]


def test_a_long_prompt_costs_more():
    price = PUBLISHED["gpt-5.4"]
    short = price.of(Tokens(fresh=272_000, output=1000))
    long = price.of(Tokens(fresh=272_001, output=1000))
    assert short == 680_000 + 15_000 and long == 1_360_005 + 22_500


def test_fractions_are_rounded_up():
    assert dollars(0.1, 0.5).of(Tokens(fresh=1)) == 1
    assert dollars(0.1, 0.5).of(Tokens(fresh=10)) == 1
    assert dollars(0.1, 0.5).of(Tokens(fresh=11)) == 2
    assert FREE.of(Tokens(fresh=10**9, output=10**9)) == 0


count = st.integers(0, 400_000)


@given(
    st.sampled_from(sorted(PUBLISHED)),
    st.builds(Tokens, fresh=count, cache_read=count, cache_write=count, cache_write_hour=count),
    st.integers(0, 100_000),
)
def test_the_worst_case_is_the_worst(name: str, tokens: Tokens, output: int):
    price = PUBLISHED[name]
    if tokens.input > price.context:
        return
    spent = price.of(
        Tokens(
            fresh=tokens.fresh,
            cache_read=tokens.cache_read,
            cache_write=tokens.cache_write,
            cache_write_hour=tokens.cache_write_hour,
            output=output,
        )
    )
    assert spent <= price.worst(input_tokens=tokens.input, output_tokens=output)
