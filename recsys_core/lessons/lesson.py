"""A lesson: a small world, steps with texts and questions, and two functions that compute and draw.

    numbers(step, values)         asks production code and returns plain values and arrays, without text
    scene(step, values, numbers)  returns picture, formula with its numbers, and finding of a step

The first runs where the production code runs, for torch models in another process; the second in the language of the
page. Texts are messages (`later`), translated where they are shown; texts of a scene are translated when it is made.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from recsys_core.errors import ConfigError
from recsys_core.lessons.controls import Control, Values, decoded, encoded, starts
from recsys_core.lessons.picture import Scene
from recsys_core.lessons.wording import Text
from recsys_core.models.choice import ModelChoice, encoded_choices
from recsys_core.text import _

CHECK = "check"
"""Key of the last step, the two self-check questions."""


@dataclass(frozen=True)
class Predict:
    """A question that is answered before the numbers are revealed.

    Args:
        question: A message.
        options: Key -> label, messages; `Scene.answer` is one of the keys.
    """

    question: Text
    options: Mapping[str, Text]


@dataclass(frozen=True)
class Step:
    """One screen of a lesson.

    Args:
        key: Its name, as in links.
        title: A message.
        text: One or two short paragraphs of Markdown, a message.
        controls: Keys of the controls that are offered.
        fixed: Values that replace those of the controls in this step.
        predict: Question that is answered first; None if everything is shown at once.
        breaks: Whether something goes wrong on purpose.
    """

    key: str
    title: Text
    text: Text
    controls: Sequence[str] = ()
    fixed: Values = field(default_factory=dict)
    predict: Predict | None = None
    breaks: bool = False


@dataclass(frozen=True)
class SelfCheck:
    """A question about the lesson.

    Args:
        question: A message.
        options: Messages.
        right: Index of the right option.
        why: Explanation of the answer, a message.
    """

    question: Text
    options: Sequence[Text]
    right: int
    why: Text


@dataclass(frozen=True)
class OwnData:
    """The page that does the same with the user's data.

    Args:
        page: Key of the page.
        label: Of the link, a message.
        model: Key of the model that is selected there; empty for none.
        settings: Its settings -> the controls of the lesson whose values they get.
        fixed: Its settings that do not depend on a control.
        beside: Settings of a second configuration of the model, to be trained beside it; None for none.
        split: The control whose value is the train/test split; empty for none.
    """

    page: str
    label: str
    model: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    beside: Mapping[str, Any] | None = None
    split: str = ""

    def address(self, values: Values) -> dict[str, str]:
        """Return the URL parameters of the page for these values of the controls."""
        chosen = {setting: values[control] for setting, control in self.settings.items()}
        choices = [ModelChoice(self.model, {**self.fixed, **chosen})] if self.model else []
        if self.beside is not None:
            choices.append(ModelChoice(self.model, self.beside))
        pick = {"pick": encoded_choices(choices)} if choices else {}
        return pick | ({"split": str(values[self.split])} if self.split else {})


@dataclass(frozen=True)
class Lesson:
    """A lesson.

    Args:
        key: Its name, as in links.
        number: Its place in the course.
        title: A message.
        idea: What it teaches in one sentence, a message.
        sections: Sections of the source document it belongs to.
        controls: What the learner changes.
        steps: Three to six.
        checks: The two self-check questions.
        numbers: See the module.
        scene: See the module.
        functions: Production functions behind the numbers, `module:name` or `module:Class.method` below `recsys_core`.
        own_data: The page that does the same with the user's data.
        runtime: Where `numbers` runs: `torch` in the process that holds torch models.
        is_slow: Whether `numbers` takes longer than a reaction to a control may: it is computed ahead, and must keep
            its results.
        data: Code of the teacher's matrix that it runs on; empty for the built-in world.
    """

    key: str
    number: int
    title: str
    idea: str
    sections: Sequence[str]
    controls: Sequence[Control]
    steps: Sequence[Step]
    checks: tuple[SelfCheck, SelfCheck]
    numbers: Callable[[str, Values], Any]
    scene: Callable[[str, Values, Any], Scene]
    functions: Sequence[str]
    own_data: OwnData
    runtime: Literal["numpy", "torch"] = "numpy"
    is_slow: bool = False
    data: str = ""

    @property
    def step_keys(self) -> tuple[str, ...]:
        """Keys of the steps, the self-check last."""
        return (*(step.key for step in self.steps), CHECK)

    def step(self, key: str) -> Step:
        """Return a step; the last one for the self-check, which keeps its picture.

        Raises:
            ConfigError: There is no such step.
        """
        if key == CHECK:
            return self.steps[-1]
        for step in self.steps:
            if step.key == key:
                return step
        raise ConfigError(
            _("The lesson '{lesson}' has no step '{step}'; it has {step_keys}.").format(
                lesson=self.key, step=key, step_keys=", ".join(self.step_keys)
            )
        )

    def control(self, key: str) -> Control:
        """Return a control; raises ConfigError if there is none with this key."""
        for control in self.controls:
            if control.key == key:
                return control
        raise ConfigError(_("The lesson '{lesson}' has no control '{control}'.").format(lesson=self.key, control=key))

    def starts(self) -> dict[str, Any]:
        """Return the first values of all controls."""
        return starts(self.controls)

    def encode(self, values: Values) -> str:
        """Return the changed values as a code for links."""
        return encoded(self.controls, values)

    def decode(self, code: str) -> dict[str, Any]:
        """Return the values of a code of `encode`; raises ConfigError if it is not one."""
        return decoded(self.controls, code)

    def values_in(self, step: str, values: Values) -> dict[str, Any]:
        """Return the values that hold in a step: those of the controls, then those that the step fixes."""
        return {**values, **self.step(step).fixed}
