"""The colours of the stages, the same on every page."""

from signals_app.shopper_signals.constants import Stage

STAGE_TONES: dict[str, str] = {
    Stage.BROWSING: "neutral",
    Stage.CONSIDERING: "info",
    Stage.HIGH_INTENT: "good",
    Stage.LEAVING_WITH_INTENT: "bad",
    Stage.BOUGHT_RECENTLY: "good",
    Stage.LAPSED: "neutral",
}
