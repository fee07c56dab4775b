"""How much a run does: enough to trust (`FULL`), enough to see (`SHORT`), enough to know that it works (`SMOKE`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    name: str
    connections: int
    warm_up: int
    """Requests before anything is measured."""

    request_rounds: int
    saturation_seconds: float
    paced_seconds: float

    end_to_end_rounds: int
    end_to_end_signals: int

    pipeline_rounds: int
    pipeline_signals: int
    rules: tuple[int, ...]

    import_rounds: int
    import_rows: int

    sizes: tuple[int, ...]
    """Stored signals; each a multiple of the first."""
    growth_rounds: int
    growth_signals: int
    reads: int

    profiles: tuple[int, ...]
    """Profiles that the admin is read with; each more than the one before."""
    signals_a_profile: int
    reading_rounds: int

    broker_rounds: int
    broker_seconds: float

    memory_signals: int
    """0: not measured."""
    memory_seconds: float


FULL = Plan(
    name="full",
    connections=64,
    warm_up=2_000,
    request_rounds=5,
    saturation_seconds=8,
    paced_seconds=6,
    end_to_end_rounds=2,
    end_to_end_signals=4_000,
    pipeline_rounds=3,
    pipeline_signals=10_000,
    rules=(0, 20, 200),
    import_rounds=3,
    import_rows=50_000,
    sizes=(10_000, 100_000, 1_000_000),
    growth_rounds=5,
    growth_signals=2_000,
    reads=12,
    profiles=(10_000, 100_000, 1_000_000),
    signals_a_profile=10,
    reading_rounds=2,
    broker_rounds=4,
    broker_seconds=5,
    memory_signals=500_000,
    memory_seconds=300,
)
SHORT = Plan(
    name="short",
    connections=64,
    warm_up=100,
    request_rounds=1,
    saturation_seconds=1.5,
    paced_seconds=1.5,
    end_to_end_rounds=1,
    end_to_end_signals=100,
    pipeline_rounds=1,
    pipeline_signals=2_000,
    rules=(0, 20, 200),
    import_rounds=1,
    import_rows=5_000,
    sizes=(1_000, 5_000, 20_000),
    growth_rounds=1,
    growth_signals=400,
    reads=1,
    profiles=(500, 2_500),
    signals_a_profile=5,
    reading_rounds=1,
    broker_rounds=1,
    broker_seconds=1,
    memory_signals=0,
    memory_seconds=0,
)
SMOKE = Plan(
    name="smoke",
    connections=8,
    warm_up=20,
    request_rounds=1,
    saturation_seconds=0.3,
    paced_seconds=0.3,
    end_to_end_rounds=1,
    end_to_end_signals=40,
    pipeline_rounds=1,
    pipeline_signals=60,
    rules=(0, 20),
    import_rounds=1,
    import_rows=100,
    sizes=(60, 180),
    growth_rounds=1,
    growth_signals=30,
    reads=1,
    profiles=(40, 120),
    signals_a_profile=2,
    reading_rounds=1,
    broker_rounds=1,
    broker_seconds=0.3,
    memory_signals=200,
    memory_seconds=5,
)
PLANS = {plan.name: plan for plan in (FULL, SHORT, SMOKE)}
