"""Whether the rows of a manifest have what a recipe's splits and prompts ask of them."""

from collections import Counter
from collections.abc import Sequence

from videoguard.dataset.grouping import require_field
from videoguard.dataset.messages import PromptTemplates, prompt_values
from videoguard.errors import UserError
from videoguard.manifests.sample import Sample


def require_fields(samples: Sequence[Sample], group_by: str, templates: PromptTemplates) -> None:
    """Raise `UserError` where samples lack the field to group by, or values that the prompts name."""
    require_field(samples, group_by)
    lacking = Counter(name for sample in samples for name in templates.lacking(prompt_values(sample)))
    if lacking:
        told = ", ".join(f"{{{name}}} in {number} of {len(samples)} samples" for name, number in lacking.most_common())
        raise UserError(
            f"dataset.system_prompt and dataset.question: no value for {told}; add the fields to the manifest, or write "
            "{{name}} where the braces are meant"
        )
