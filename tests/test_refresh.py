"""Refreshing the repository's notebooks: clean outputs, stable metadata, images."""

import base64

import nbformat
import pytest
import stand_ins
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from helpers.refresh import clean, images, main

PICTURE = base64.b64encode(b"picture").decode()


def pair(*outputs, **metadata):
    """Return an executed notebook with the given outputs, and its source."""
    cells = [
        new_markdown_cell("# Title", id="a"),
        new_code_cell("1", id="b", metadata=metadata),
        new_code_cell("", id="c"),
    ]
    source = new_notebook(cells=cells)
    executed = nbformat.from_dict(nbformat.v4.new_notebook(cells=list(source.cells)))
    executed = nbformat.reads(nbformat.writes(executed), as_version=4)
    executed.cells[1].outputs = list(outputs)
    executed.cells[1].execution_count = 7
    executed.cells[1].metadata["papermill"] = {"duration": 1.0}
    executed.metadata["papermill"] = {"start_time": "now"}
    return executed, source


def cleaned(*outputs):
    return clean(*pair(*outputs)).cells[1].outputs


def stream(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def test_clean_counts_from_1_and_keeps_ids_and_tags():
    notebook = clean(*pair(new_output("execute_result", execution_count=7), tags=["x"]))
    assert [cell.id for cell in notebook.cells] == ["a", "b", "c"]
    assert notebook.cells[1].execution_count == 1
    assert notebook.cells[2].execution_count is None
    assert notebook.cells[1].metadata == {"tags": ["x"]}


def test_clean_keeps_minimal_metadata():
    assert clean(*pair()).metadata == {
        "kernelspec": {
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }


def test_clean_merges_streams_and_drops_what_a_carriage_return_hides():
    outputs = cleaned(stream("one\n"), stream("10 %\r20 %\r"), stream("done\n"))
    assert [output.text for output in outputs] == ["one\ndone\n"]
    assert "\r" not in cleaned(stream("a\rb\r\nc\n"))[0].text.replace("\r\n", "")


def test_clean_keeps_streams_apart_by_name():
    outputs = cleaned(stream("out\n"), stream("err\n", "stderr"))
    assert [output.name for output in outputs] == ["stdout", "stderr"]


def test_clean_drops_progress_widgets_and_emptied_outputs():
    live = "application/vnd.jupyter.widget-view+json"
    outputs = cleaned(
        new_output("display_data", data={"text/plain": ""}),
        new_output(
            "display_data",
            data={live: {"model_id": "x"}, "image/png": PICTURE},
            metadata={"progress": {"done": 1}, "image/png": {"alt": "A pad"}},
        ),
    )
    assert [output.data for output in outputs] == [{"image/png": PICTURE}]
    assert outputs[0].metadata == {"image/png": {"alt": "A pad"}}


def test_images_come_from_tagged_cells_with_plain_names():
    output = new_output("display_data", data={"image/png": PICTURE})
    assert images(pair(output, tags=["image:a-b_1.png"])[0]) == {
        "a-b_1.png": b"picture"
    }
    for tag in ("image:../a.png", "image:a.svg", "picture"):
        assert images(pair(output, tags=[tag])[0]) == {}
    assert images(pair(stream("no picture"), tags=["image:a.png"])[0]) == {}


def test_refresh_replaces_outputs_and_nothing_else(tmp_path):
    house = stand_ins.house(tmp_path)
    before = {p.name: p.read_bytes() for p in (tmp_path / "notebooks").iterdir()}
    result = house.command("01", "02", module="helpers.refresh")
    assert result.returncode == 0, result.stderr
    after = {p.name: p.read_bytes() for p in (tmp_path / "notebooks").iterdir()}
    changed = sorted(name for name in after if after[name] != before[name])
    assert changed == ["01_load.ipynb", "02_scale.ipynb"]
    notebook = nbformat.reads(after["02_scale.ipynb"].decode(), as_version=4)
    assert notebook.cells[-1].outputs[0].data["text/plain"] == "np.int64(45)"
    assert not house.artifacts.exists()

    house.command("01", "02", module="helpers.refresh")
    again = {p.name: p.read_bytes() for p in (tmp_path / "notebooks").iterdir()}
    assert again == after


def test_refresh_with_a_failing_notebook_changes_nothing(tmp_path):
    house = stand_ins.house(tmp_path)
    path = tmp_path / "notebooks" / "02_scale.ipynb"
    text = path.read_text(encoding="utf-8").replace("images.sum()", "images.sum(7)")
    path.write_text(text, encoding="utf-8")
    before = {p.name: p.read_bytes() for p in (tmp_path / "notebooks").iterdir()}
    result = house.command("02", module="helpers.refresh")
    assert result.returncode == 1
    assert "Nothing was changed" in result.stderr
    after = {p.name: p.read_bytes() for p in (tmp_path / "notebooks").iterdir()}
    assert after == before


@pytest.mark.parametrize("number", ["07", "1", "x"])
def test_refresh_of_an_unknown_notebook_is_refused(number, capsys):
    assert main([number]) == 2
    assert "There is no notebook" in capsys.readouterr().err
