"""The settings as a table for people."""

from pydantic.fields import FieldInfo

from nexhealth_exporter.settings.model import Settings, flag, is_secret, variable


def default_text(field: FieldInfo) -> str:
    """The default as one would write it; empty when there is none."""
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is None:
        return ""
    return f"{default:.0f}" if isinstance(default, float) else str(default)


def markdown_table() -> str:
    """Every setting with its variable, flag, default and meaning, as a Markdown table."""
    rows = ["| Variable | Flag | Default | Meaning |", "| --- | --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        shown = "" if is_secret(field) else f"`{flag(name)}`"
        default = default_text(field)
        cells = (
            f"`{variable(name)}`",
            shown,
            f"`{default}`" if default else "",
            (field.description or "").replace("|", "\\|"),
        )
        rows.append(f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in cells)}|")
    return "\n".join(rows) + "\n"
