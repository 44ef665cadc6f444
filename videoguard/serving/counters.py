"""What the service counts, in the form that Prometheus reads."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128)


class Counters:
    """The service's own metrics, apart from those of other libraries in the process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        registry = self._registry
        self.requests = Counter("videoguard_requests", "Requests that have ended", ["endpoint", "status"], registry=registry)
        self.seconds = Histogram(
            "videoguard_request_seconds", "From a request's arrival to its end", ["endpoint"],
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.under_way = Gauge("videoguard_requests_under_way", "Requests that have a place", registry=registry)
        self.turned_away = Counter("videoguard_turned_away", "Requests that found no place", registry=registry)
        self.answers = Counter("videoguard_answers", "Answers by model", ["model", "status"], registry=registry)
        self.tokens = Counter("videoguard_tokens", "Generated tokens by model", ["model"], registry=registry)
        self.batch = Histogram(
            "videoguard_batch_answers", "Answers that were being written beside a new one", buckets=_ROWS, registry=registry
        )
        self.decoding = Histogram(
            "videoguard_decoding_seconds", "Waiting for and decoding a video", buckets=_SECONDS, registry=registry
        )
        self.guard_frames = Counter("videoguard_guard_frames", "Frames that the guard judged", ["model"], registry=registry)
        self.alarms = Counter("videoguard_guard_alarms", "Alarms of the guard", ["model", "category"], registry=registry)
        self.model = Gauge("videoguard_model", "1 for each served model", ["model", "version"], registry=registry)

    def exposition(self) -> bytes:
        """All of them as text."""
        return generate_latest(self._registry)
