"""`rootline dataset …`: registering, looking, checking again."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.cli.conftest import SCHEMA, TABLE, Program
from tests.pipelines.conftest import Repository

OPTIONS = ("--name", "people", "--version")
WITH_SCHEMA = ("--schema", "schema.json")


def test_a_file_is_registered_and_posted(rootline: Program, people: Any) -> None:
    assert (people["dataset"], people["records"], people["block"]) == ("people@v1", 3, 3)
    assert people["schema"] == {"id": "int", "name": "string"}
    assert [index["normaliser"] for index in people["indexes"]] == [
        "exact/1",
        "text-nfkc-casefold/1",
    ]
    assert Path(people["envelope"]).is_file()
    assert rootline.json("ledger", "status")["statements that wait"] == 0


def test_registering_again_gives_the_same_and_posts_nothing(rootline: Program) -> None:
    words = ("dataset", "register", "table.csv", *OPTIONS, "v1", *WITH_SCHEMA)
    first = rootline.json(*words)
    head = rootline.json("ledger", "status")["head"]
    assert rootline.json(*words) == first
    assert rootline.json("ledger", "status")["head"] == head


def test_other_records_under_a_taken_version_are_refused(rootline: Program, people: Any) -> None:
    rootline.write("table.csv", TABLE + "4,Di\n")
    words = ("dataset", "register", "table.csv", *OPTIONS, "v1", *WITH_SCHEMA)
    assert "another version" in rootline.fails(*words, code=2)
    assert rootline.json("dataset", "show", "people")["root"] == people["root"]


def test_a_version_follows_the_one_before(rootline: Program, people: Any) -> None:
    rootline.write("table.csv", TABLE + "4,Di\n")
    made = rootline.json("dataset", "register", "table.csv", *OPTIONS, "v2", *WITH_SCHEMA)
    assert made["previous"] == people["commitment"]
    assert rootline.json("dataset", "show", "people")["versions"] == ["v1", "v2"]
    assert rootline.json("dataset", "show", "people@v1")["root"] == people["root"]
    assert [row["version"] for row in rootline.json("dataset", "list")] == ["v2"]


def test_what_is_not_published_waits(rootline: Program) -> None:
    words = ("dataset", "register", "table.csv", *OPTIONS, "v1", *WITH_SCHEMA, "--no-publish")
    assert "rootline publish" in rootline.json(*words)["block"]
    assert rootline.json("dataset", "list")[0]["block"] == "waits"
    assert [row["statements"] for row in rootline.json("publish")] == [0, 1]
    assert rootline.json("dataset", "list")[0]["block"] == 3
    assert rootline.json("publish") == []


def test_several_files_in_the_order_given_are_the_one_file(rootline: Program, people: Any) -> None:
    rootline.write("b.csv", "id,name\n1,Ann\n")
    rootline.write("a.csv", "id,name\n2,Bob\n3,Cy\n")
    words = ("dataset", "register", "b.csv", "a.csv", "--order", "given", "--name", "people")
    made = rootline.json(*words, "--version", "v2", *WITH_SCHEMA)
    assert made["root"] == people["root"]
    assert made["order"] == "given"


def test_a_folder_is_read_in_its_natural_order(rootline: Program, people: Any) -> None:
    rootline.write("parts/part-2.csv", "id,name\n1,Ann\n")
    rootline.write("parts/part-10.csv", "id,name\n2,Bob\n3,Cy\n")
    made = rootline.json("dataset", "register", "parts", *OPTIONS, "v2", *WITH_SCHEMA)
    assert made["root"] == people["root"]


def test_the_null_token_is_declared(rootline: Program) -> None:
    rootline.write("table.csv", "id,name\n1,NA\n")
    plain = rootline.json("dataset", "register", "table.csv", *OPTIONS, "v1", *WITH_SCHEMA)
    words = ("dataset", "register", "table.csv", *OPTIONS, "v2", *WITH_SCHEMA, "--csv-null", "NA")
    assert rootline.json(*words)["root"] != plain["root"]


def test_a_format_can_be_named_where_the_ending_does_not_say_it(rootline: Program) -> None:
    rootline.write("table.txt", '{"id":1,"name":"Ann"}\n{"id":2,"name":"Bob"}\n')
    words = ("dataset", "register", "table.txt", *OPTIONS, "v1", *WITH_SCHEMA)
    assert "unknown format" in rootline.fails(*words, code=2)
    assert rootline.json(*words, "--format", "jsonl")["records"] == 2


def test_files_can_be_records(rootline: Program) -> None:
    rootline.write("folder/a.bin", b"\x00\x01")
    rootline.write("folder/b.bin", b"\x02")
    made = rootline.json("dataset", "register", "folder", *OPTIONS, "v1", "--records", "files")
    assert made["records"] == 2
    rootline("dataset", "verify", "people", "folder", "--records", "files")


def test_features_and_facts_are_committed(rootline: Program) -> None:
    spec = {"fields": [{"name": "id", "scale_bits": 0}], "label": None}
    rootline.write(
        "features.json",
        json.dumps({**spec, "nulls": "refuse", "rounding": "half-even", "width": 14}),
    )
    rootline.write("table.csv", "id,name\n1,Ann\n")
    facts = ("--fact", "licence=CC0-1.0", "--fact", "origin=a=b")
    words = ("dataset", "register", "table.csv", *OPTIONS, "v1", *WITH_SCHEMA, *facts)
    made = rootline.json(*words, "--features", "features.json")
    assert made["leaf"] == "features"
    assert made["facts (L0, declared)"] == {"licence": "CC0-1.0", "origin": "a=b"}


def test_parquet_needs_no_schema(rootline: Program, people: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"id": [1, 2, 3], "name": ["Ann", "Bob", "Cy"]})
    pq.write_table(table, rootline.folder / "table.parquet")
    made = rootline.json("dataset", "register", "table.parquet", *OPTIONS, "v2")
    assert made["root"] == people["root"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--index", "unknown/1"), "normaliser"),
        (("--index", "exact/1:name"), "exact/1"),
        (("--index", "text-nfkc-casefold/1:nowhere"), "nowhere"),
        (("--fact", "licence"), "NAME=VALUE"),
        (("--fact", "a=1", "--fact", "a=2"), "twice"),
        (("--order", "random"), "order"),
        (("--records", "pages"), "records"),
        (("--schema", "missing.json"), "missing.json"),
        (("--schema", "table.csv"), "table.csv"),
        (("--features", "schema.json"), "schema.json"),
        (("--name", "No Name"), "name"),
        (("--version", "V 1"), "name"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_a_wrong_option_is_refused_and_nothing_is_registered(
    rootline: Program, words: tuple[str, ...], told: str
) -> None:
    base = ("dataset", "register", "table.csv", *OPTIONS, "v1", *WITH_SCHEMA)
    assert told in rootline.fails(*base, *words, code=2)
    assert rootline.json("dataset", "list") == []


def test_a_list_is_a_table_for_people(rootline: Program, people: Any) -> None:
    assert "people" in rootline("dataset", "list")
    assert people["root"] in rootline("dataset", "list")


def test_markup_in_words_is_shown_as_it_is(rootline: Program) -> None:
    facts = ("--fact", "note=[red]x[/red]")
    rootline("dataset", "register", "table.csv", *OPTIONS, "v1", *WITH_SCHEMA, *facts)
    assert "[red]x[/red]" in rootline("dataset", "show", "people")


def test_a_dataset_that_is_not_there_is_named(rootline: Program) -> None:
    assert "rootline dataset list" in rootline.fails("dataset", "show", "nobody@v1", code=3)
    rootline.fails("dataset", "show", "No Name", code=2)


def test_what_was_registered_verifies(rootline: Program, people: Any) -> None:
    assert rootline.json("dataset", "verify", "people")["checked"] == "stored leaves"
    document = rootline.json("dataset", "verify", "people@v1", "table.csv")
    assert document["root"] == people["root"]
    assert document["checked"] == "stored leaves and files"


def test_other_files_do_not_verify(rootline: Program, people: Any) -> None:
    rootline.write("other.csv", TABLE.replace("Bob", "Rob"))
    assert people["root"][:16] in rootline.fails("dataset", "verify", "people", "other.csv", code=1)


def test_a_changed_leaf_does_not_verify(rootline: Program, people: Any) -> None:
    path = rootline.folder / ".rootline" / "nodes" / f"{people['root']}.nodes"
    data = bytearray(path.read_bytes())
    data[70] ^= 1
    path.write_bytes(data)
    rootline.fails("dataset", "verify", "people", code=1)


def test_a_dvc_revision_is_registered(rootline: Program, repository: Repository) -> None:
    place = repository.folder / "rows"
    words = ("dataset", "register", place, "--name", "rows", "--version")
    first = rootline.json(*words, "v1", "--dvc-rev", "v1")
    second = rootline.json(*words, "v2", "--dvc-rev", "v2")
    assert (first["records"], second["records"]) == (20, 30)
    rootline("dataset", "verify", "rows@v1", place, "--dvc-rev", "v1")
    rootline.fails("dataset", "verify", "rows@v1", place, code=1)
    assert "revision" in rootline.fails(*words, "v3", "--dvc-rev", "v3", code=2)


def test_a_watched_dataset_is_listed(rootline: Program, repository: Repository) -> None:
    words = ("dataset", "watch", "rows", "--repo", repository.folder, "--path", "rows")
    entry = rootline.json(*words, "--index", "text-nfkc-casefold/1:name", "--fact", "licence=CC0")
    assert entry["facts"] == {"licence": "CC0"}
    assert rootline.json("dataset", "watched")[0]["dataset"] == "rows"


def test_what_dvc_does_not_track_is_not_watched(rootline: Program, repository: Repository) -> None:
    words = ("dataset", "watch", "rows", "--repo", repository.folder, "--path", "nothing")
    assert "dvc add" in rootline.fails(*words, code=2)
    assert rootline.json("dataset", "watched") == []


def test_the_schema_that_is_declared_is_strict(rootline: Program) -> None:
    rootline.write("schema.json", json.dumps({**SCHEMA, "more": 1}))
    words = ("dataset", "register", "table.csv", *OPTIONS, "v1", *WITH_SCHEMA)
    assert "schema.json" in rootline.fails(*words, code=2)
