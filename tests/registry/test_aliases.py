"""Who is champion: moved by decisions and by hand, and never lost."""

import pytest

from videoguard.errors import UnavailableError, UserError
from videoguard.evaluation.promotion import PromotionDecision
from videoguard.registry.aliases import Aliases
from videoguard.registry.standing import Standing, read_standing

pytestmark = pytest.mark.slow


@pytest.fixture
def aliases(tracking, request) -> Aliases:
    """A model of four versions."""
    name = request.node.name
    tracking.client.create_registered_model(name)
    for number in range(1, 5):
        tracking.client.create_model_version(name, source=f"s3://bucket/{number}")
    return Aliases(tracking.uri, name)


def decision(aliases: Aliases, version: str, against: str | None, outcome: str = "promoted") -> PromotionDecision:
    fields = {"model": aliases.model, "version": version, "against": against, "outcome": outcome}
    return PromotionDecision.model_validate({**fields, "reasons": ["as tested"], "metric": "rouge_l"})


def standing(aliases: Aliases, version: str) -> Standing:
    """As the file tells it, which is as MLflow tells it."""
    found = read_standing(aliases.uri, aliases.model, version)
    assert found == aliases.standing(version)
    return found


def test_the_first_is_tested_against_the_base_and_the_next_against_the_champion(aliases):
    assert standing(aliases, "1") == Standing(opponent=None)
    aliases.carry_out(decision(aliases, "1", None))
    assert aliases.holders() == {"champion": "1"}
    # The same run again is tested as it was.
    assert standing(aliases, "1") == Standing(opponent=None, is_champion=True)
    assert standing(aliases, "2") == Standing(opponent="1", opponent_source="s3://bucket/1")

    aliases.carry_out(decision(aliases, "2", "1", "held back"))
    assert aliases.holders() == {"champion": "1", "candidate": "2"}
    assert aliases.version("2").tags["promotion.decision"] == "held back"
    assert aliases.version("candidate").tags["promotion.reasons"] == "as tested"

    for _ in range(2):
        aliases.carry_out(decision(aliases, "3", "1"))
        assert aliases.holders() == {"champion": "3", "previous": "1", "candidate": "2"}
    assert standing(aliases, "3") == Standing(opponent="1", opponent_source="s3://bucket/1", is_champion=True)


def test_a_candidate_that_is_promoted_is_a_candidate_no_more(aliases):
    aliases.carry_out(decision(aliases, "1", None, "held back"))
    assert aliases.holders() == {"candidate": "1"}
    aliases.carry_out(decision(aliases, "1", None))
    assert aliases.holders() == {"champion": "1"}


def test_a_champion_that_changed_meanwhile_is_not_replaced(aliases):
    aliases.promote("3", "trial")
    with pytest.raises(UnavailableError, match="the champion became version 3 while version 2 was tested"):
        aliases.carry_out(decision(aliases, "2", None))
    assert aliases.holders() == {"champion": "3"}
    assert "promotion.decision" not in aliases.version("2").tags


def test_a_rollback_restores_previous_and_stands(aliases):
    aliases.carry_out(decision(aliases, "1", None))
    aliases.carry_out(decision(aliases, "2", "1"))
    aliases.carry_out(decision(aliases, "4", "2"))
    assert aliases.roll_back("wrong on squats") == ("2", "4")
    assert aliases.holders() == {"champion": "2", "previous": "1"}
    # Neither is tested again: a person has decided.
    assert standing(aliases, "4").settled == "rolled back: wrong on squats"
    assert standing(aliases, "2").settled == "restored in place of version 4: wrong on squats"

    assert aliases.roll_back("that too") == ("1", "2")
    assert aliases.holders() == {"champion": "1"}
    with pytest.raises(UserError, match="has no previous version: there is nothing to go back to"):
        aliases.roll_back("further")

    assert aliases.promote("4", "mended") == ("4", "1")
    assert aliases.holders() == {"champion": "4", "previous": "1"}
    assert standing(aliases, "4").settled == "promoted by hand: mended"


def test_what_is_not_there_is_refused_by_name(aliases, tracking):
    aliases.promote("1", "trial")
    with pytest.raises(UserError, match=r"version 1 of .* is the champion already"):
        aliases.promote("champion", "trial")
    with pytest.raises(UserError, match=r"9 is no version of .*: it has the versions 1, 2, 3, 4 and the aliases champion"):
        aliases.promote("9", "trial")
    with pytest.raises(UserError, match="no model nothing is registered"):
        Aliases(tracking.uri, "nothing").roll_back("trial")
    with pytest.raises(UnavailableError, match="does not answer"):
        Aliases("http://127.0.0.1:9", "walks").holders()
