import pytest
from pydantic import ValidationError

from service.settings import Settings


def test_environment_is_over_defaults_and_arguments_over_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Flags win over CONVSCOPE_* variables, those over the defaults."""
    assert Settings().port == 8000
    monkeypatch.setenv("CONVSCOPE_PORT", "9000")
    assert Settings().port == 9000
    assert Settings(port=9001).port == 9001


def test_every_setting_is_described() -> None:
    """The description is what --help says, so none may be without."""
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize(
    "wrong",
    [{"port": 65536}, {"device": "tpu"}, {"threads": -1}, {"max_body_bytes": 0}, {"max_files": 0}],
)
def test_senseless_values_are_refused(wrong: dict[str, object]) -> None:
    """What cannot work is refused before anything starts."""
    with pytest.raises(ValidationError):
        Settings(**wrong)
