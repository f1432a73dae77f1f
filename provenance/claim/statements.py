"""The types of statement that a claim can make, each in one form."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from provenance import canonical
from provenance.canonical import Fields, Json, JsonObject
from provenance.claim.members import (
    MAX_INDEX,
    MAX_KEYS,
    MAX_PARTS,
    MAX_RECORDS,
    MAX_STEPS,
    MAX_VALUE,
    Rows,
    check_many,
    check_range,
    check_rows,
    integers,
    named,
    read_rows,
    texts,
)
from provenance.dataset import MAX_INDEXES
from provenance.errors import MalformedError
from provenance.exclusion_key import ExclusionKey
from provenance.field import Digest, parse_hex

STATES: Final = ("initial", "final")


@dataclass(frozen=True, slots=True)
class AbsenceStatement:
    """None of these keys is in index number `index` of the dataset."""

    dataset: Digest
    index: int
    keys: tuple[ExclusionKey, ...]

    def __post_init__(self) -> None:
        """Raise MalformedError for no key, one named twice, or an index that no dataset has."""
        check_many("keys", self.keys, MAX_KEYS)
        check_range("index", self.index, 0, MAX_INDEXES - 1)

    @property
    def json(self) -> JsonObject:
        """The statement as it stands in a claim."""
        keys: list[Json] = [key.hex() for key in self.keys]
        dataset = self.dataset.hex()
        return {"type": "absence", "dataset": dataset, "index": self.index, "keys": keys}

    @classmethod
    def of(cls, fields: Fields) -> "AbsenceStatement":
        """Return the statement that an object holds, or raise MalformedError."""
        keys = (ExclusionKey(parse_hex(text, 31)) for text in texts(fields, "keys", MAX_KEYS))
        return cls(
            fields.digest("dataset"), fields.integer("index", 0, MAX_INDEXES - 1), tuple(keys)
        )


@dataclass(frozen=True, slots=True)
class StepsStatement:
    """Steps `first` to `first` + `steps` - 1 of a run lead from state to state by its rule."""

    run: Digest
    first: int
    steps: int

    def __post_init__(self) -> None:
        """Raise MalformedError for no steps, or more than a run can have."""
        check_range("first", self.first, 0, MAX_STEPS - 1)
        check_range("steps", self.steps, 1, MAX_STEPS - self.first)

    @property
    def json(self) -> JsonObject:
        """The statement as it stands in a claim."""
        return {"type": "steps", "run": self.run.hex(), "first": self.first, "steps": self.steps}

    @classmethod
    def of(cls, fields: Fields) -> "StepsStatement":
        """Return the statement that an object holds, or raise MalformedError."""
        first = fields.integer("first", 0, MAX_STEPS - 1)
        return cls(fields.digest("run"), first, fields.integer("steps", 1, MAX_STEPS))


@dataclass(frozen=True, slots=True)
class Records:
    """Records of a dataset by index, in the order in which a circuit takes them."""

    dataset: Digest
    indexes: tuple[int, ...]

    def __post_init__(self) -> None:
        """Raise MalformedError for no record, one named twice, or an index that none can have."""
        check_many("records", self.indexes, MAX_RECORDS)
        for index in self.indexes:
            check_range("records", index, 0, MAX_INDEX)

    @property
    def json(self) -> JsonObject:
        """The members that name the records."""
        return {"dataset": self.dataset.hex(), "records": list(self.indexes)}

    @classmethod
    def of(cls, fields: Fields) -> "Records":
        """Return the records that an object's members name, or raise MalformedError."""
        indexes = integers(fields.take("records"), MAX_RECORDS, 0, MAX_INDEX)
        return cls(fields.digest("dataset"), indexes)


@dataclass(frozen=True, slots=True)
class RunState:
    """The committed state with which a run began or ended."""

    run: Digest
    state: str

    def __post_init__(self) -> None:
        """Raise MalformedError for another state than those two."""
        if self.state not in STATES:
            raise MalformedError(
                f"claim: a run's state is one of {STATES}, not {self.state[:20]!r}"
            )

    @property
    def json(self) -> JsonObject:
        """The members that name the state."""
        return {"run": self.run.hex(), "state": self.state}

    @classmethod
    def of(cls, fields: Fields) -> "RunState":
        """Return the state that an object's members name, or raise MalformedError."""
        return cls(fields.digest("run"), fields.text("state", most=16))


@dataclass(frozen=True, slots=True)
class PropertyStatement:
    """A function, named by the digest of its ONNX, gives `values` (a row a part) over `about`."""

    function: Digest
    about: Records | RunState
    values: Rows

    def __post_init__(self) -> None:
        """Raise MalformedError for no values, or values out of range."""
        check_rows("values", self.values, MAX_PARTS)

    @property
    def json(self) -> JsonObject:
        """The statement as it stands in a claim."""
        function = self.function.hex()
        return {
            "type": "property",
            "function": function,
            **self.about.json,
            **named("values", self.values),
        }

    @classmethod
    def of(cls, fields: Fields) -> "PropertyStatement":
        """Return the statement that an object holds, or raise MalformedError."""
        over = Records if "dataset" in fields.members else RunState
        about = over.of(fields)
        return cls(fields.digest("function"), about, read_rows(fields, "values", MAX_PARTS))


@dataclass(frozen=True, slots=True)
class InferenceStatement:
    """A run's final state gives `outputs`, a row for each input row.

    Attributes:
        run: Digest of the run statement.
        inputs: Committed records, or rows of fixed-point values that everybody sees.
        outputs: In the order of the inputs.
    """

    run: Digest
    inputs: Records | Rows
    outputs: Rows

    def __post_init__(self) -> None:
        """Raise MalformedError for no rows, or not one row of outputs an input."""
        check_rows("outputs", self.outputs, MAX_RECORDS)
        if isinstance(self.inputs, tuple):
            check_rows("inputs", self.inputs, MAX_RECORDS)
        rows = self.inputs if isinstance(self.inputs, tuple) else self.inputs.indexes
        if len(rows) != len(self.outputs):
            raise MalformedError(f"claim: {len(self.outputs)} outputs of {len(rows)} inputs")

    @property
    def json(self) -> JsonObject:
        """The statement as it stands in a claim."""
        taken = (
            self.inputs.json if isinstance(self.inputs, Records) else named("inputs", self.inputs)
        )
        return {
            "type": "inference",
            "run": self.run.hex(),
            **taken,
            **named("outputs", self.outputs),
        }

    @classmethod
    def of(cls, fields: Fields) -> "InferenceStatement":
        """Return the statement that an object holds, or raise MalformedError."""
        inputs: Records | Rows
        if "dataset" in fields.members:
            inputs = Records.of(fields)
        else:
            inputs = read_rows(fields, "inputs", MAX_RECORDS)
        return cls(fields.digest("run"), inputs, read_rows(fields, "outputs", MAX_RECORDS))


@dataclass(frozen=True, slots=True)
class EvaluationStatement:
    """A run's final state predicts `right` of the records' labels rightly: a number a part.

    Of a linear model it is the sum of squared errors instead, in the circuit's units.
    """

    run: Digest
    records: Records
    right: tuple[int, ...]

    def __post_init__(self) -> None:
        """Raise MalformedError for no part, or a number that no circuit gives."""
        check_range("parts", len(self.right), 1, MAX_PARTS)
        for number in self.right:
            check_range("right", number, 0, MAX_VALUE)

    @property
    def json(self) -> JsonObject:
        """The statement as it stands in a claim."""
        right: list[Json] = [canonical.integer(number) for number in self.right]
        return {"type": "evaluation", "run": self.run.hex(), **self.records.json, "right": right}

    @classmethod
    def of(cls, fields: Fields) -> "EvaluationStatement":
        """Return the statement that an object holds, or raise MalformedError."""
        right = integers(fields.take("right"), MAX_PARTS, 0, MAX_VALUE)
        return cls(fields.digest("run"), Records.of(fields), right)


ClaimStatement = (
    AbsenceStatement | StepsStatement | PropertyStatement | InferenceStatement | EvaluationStatement
)
_TYPES: Final[Mapping[str, Callable[[Fields], ClaimStatement]]] = MappingProxyType(
    {
        "absence": AbsenceStatement.of,
        "steps": StepsStatement.of,
        "property": PropertyStatement.of,
        "inference": InferenceStatement.of,
        "evaluation": EvaluationStatement.of,
    }
)


def parse_statement(fields: Fields) -> ClaimStatement:
    """Return the statement of whichever type an object holds, or raise MalformedError."""
    kind = fields.text("type", most=32)
    if kind not in _TYPES:
        raise fields.error("type", f"one of {', '.join(_TYPES)}")
    statement = _TYPES[kind](fields)
    fields.done()
    return statement


def about(statement: ClaimStatement) -> tuple[Digest, ...]:
    """Return the commitments that a statement names: datasets and runs."""
    match statement:
        case AbsenceStatement():
            return (statement.dataset,)
        case StepsStatement():
            return (statement.run,)
        case PropertyStatement(about=over):
            return (over.run if isinstance(over, RunState) else over.dataset,)
        case InferenceStatement(inputs=inputs):
            taken = (inputs.dataset,) if isinstance(inputs, Records) else ()
            return (*taken, statement.run)
        case _:
            return (statement.records.dataset, statement.run)
