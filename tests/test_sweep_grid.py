"""Which runs a command line asks for; wrong ones are refused before any runs."""

import pytest

from helpers.batch.command_line import declared_parameters
from helpers.batch.guard import UsageError
from helpers.sweep import main
from helpers.sweeps.command_line import parse
from helpers.sweeps.grid import planned_runs
from helpers.sweeps.identity import run_id
from helpers.sweeps.shared_work import data_key, training_key


def grid(*settings, table=None):
    declared = {name: found for name, (found, _) in declared_parameters().items()}
    return planned_runs(list(settings), table, declared)


def test_grid_is_the_cross_product_in_the_order_of_the_options():
    runs = grid("epochs=1,5", "head=conv,dense", "seed=0,1,2", "dataset=mnist_5k")
    asked = [(r.values["epochs"], r.values["head"], r.values["seed"]) for r in runs]
    assert asked == [
        (e, h, s) for e in (1, 5) for h in ("conv", "dense") for s in (0, 1, 2)
    ]
    assert {r.values["dataset"] for r in runs} == {"mnist_5k"}
    assert runs[0].label == "epochs=1, head=conv, seed=0"


def test_grid_leaves_defaults_where_nothing_is_said():
    (run,) = grid("epochs=3")
    declared = declared_parameters()
    assert {n: v for n, v in run.values.items() if n != "epochs"} == {
        n: p.default for n, (p, _) in declared.items() if n != "epochs"
    }


def test_recipe_sets_what_the_grid_does_not():
    default, original = grid("recipe=default,original", "learning_rate=0.25")
    assert default.values["pixel_scale"] == 128.0
    assert original.values["pixel_scale"] == 1.0
    assert original.values["learning_rate"] == 0.25


def test_table_gives_a_run_a_line_and_defaults_for_empty_fields(tmp_path):
    table = tmp_path / "grid.csv"
    table.write_text("epochs, dataset\n1,\n\n2,'a, b.npz'\n".replace("'", '"'))
    runs = grid("seed=4,5", table=str(table))
    asked = [(r.values["epochs"], r.values["dataset"], r.values["seed"]) for r in runs]
    assert asked == [
        (1, "auto", 4),
        (1, "auto", 5),
        (2, "a, b.npz", 4),
        (2, "a, b.npz", 5),
    ]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["epoch=1,2"], "no parameter 'epoch'; did you mean epochs?"),
        (["epochs=1,zero"], "Parameter epochs got 'zero'"),
        (["epochs=1,0"], "Parameter epochs got 0"),
        (["epochs=1,,2"], "Parameter epochs got ''"),
        (["epochs=1,01"], "--set epochs has the value 1 twice"),
        (["epochs=1", "epochs=2"], "--set epochs was given twice"),
        (["epochs"], "gives no value; write --set epochs=value"),
        (["epochs="], "gives no value"),
        (["=1"], "there is no parameter ''"),
        (["head=conv,cnov"], "Parameter head got 'cnov'"),
        (["augment=True,yes"], "the value True twice"),
        (["recipe=secret"], "recipe got 'secret', but it accepts default or original"),
        (
            [
                *["recipe=default,original", "pixel_scale=1", "learning_rate=0.001"],
                *["lr_schedule=constant", "augment=no", "validation_share=0"],
                "calibration_images=10000",
            ],
            "Two runs of the grid have the same values of all parameters",
        ),
        (
            [f"{n}={','.join(map(str, range(1, 101)))}" for n in ("epochs", "seed")]
            + [f"batch_size={','.join(map(str, range(1, 101)))}"],
            "1,000,000 runs, but 100,000 are the most",
        ),
    ],
)
def test_wrong_setting_is_refused_in_one_sentence(settings, says):
    with pytest.raises(UsageError) as refusal:
        grid(*settings)
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no runs"),
        ("epochs\n", "has no runs"),
        ("epoks\n1\n", "did you mean epochs?"),
        ("epochs;seed\n1;2\n", "separate them by commas"),
        ("epochs\tseed\n1\t2\n", "separate them by commas"),
        ("epochs,epochs\n1,2\n", "two columns epochs"),
        ("epochs,seed\n1\n", "line 2: 1 fields under 2 names"),
        ("epochs\n1\nx\n", "line 3: Parameter epochs got 'x'"),
        ("epochs\n5\n\n7\n5\n", "line 2 and line 5"),
        ("epochs\n5\n\n", None),
        ("\ufeffepochs\n5\n", None),  # as a spreadsheet saves it
    ],
)
def test_table_that_is_wrong_is_refused_with_its_line(text, says, tmp_path):
    table = tmp_path / "grid.csv"
    table.write_text(text, encoding="utf-8")
    if says is None:
        assert [run.values["epochs"] for run in grid(table=str(table))] == [5]
        return
    with pytest.raises(UsageError) as refusal:
        grid(table=str(table))
    assert says in str(refusal.value)
    assert str(table) in str(refusal.value)


def test_table_and_setting_may_not_set_the_same(tmp_path):
    table = tmp_path / "grid.csv"
    table.write_text("epochs\n1\n")
    with pytest.raises(UsageError, match="let only one set it"):
        grid("epochs=2", table=str(table))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Nothing is varied"),
        (["--set", "hed=conv"], "did you mean head?"),
        (["--from", "absent.csv"], "Cannot read absent.csv"),
        (["--set", "seed=1", "--workers=0"], "whole number from 1 to 1024"),
        (["--set", "seed=1", "--retries=-1"], "whole number from 0 to 100"),
        (["--set", "seed=1", "--wrokers=2"], "--wrokers=2"),
        (["--set", "seed=1", "--workers=2", "--scheduler=tcp://x:1"], "one of them"),
    ],
)
def test_wrong_option_gives_one_sentence_and_status_2(
    arguments, says, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert says in output.err
    assert len(output.err.strip().splitlines()) == 1
    assert not output.out
    assert not list(tmp_path.iterdir())


def test_dry_run_shows_runs_and_time_and_touches_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["--set", "epochs=1,5", "--set", "seed=0,1", "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("4 runs: about ")
    assert "worker" in lines[0] and "thread" in lines[0]
    assert [line.strip() for line in lines[1:]] == [
        f"epochs={epochs}, seed={seed}" for epochs in (1, 5) for seed in (0, 1)
    ]
    assert not list(tmp_path.iterdir())


def test_help_names_every_parameter(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    text = capsys.readouterr().out
    assert stop.value.code == 0
    for name, (parameter, _) in declared_parameters().items():
        assert f"  {name} " in text
        assert parameter.help in text


def test_cores_are_shared_among_workers(monkeypatch):
    monkeypatch.setattr("helpers.sweeps.command_line.usable_cores", lambda: 8)
    for arguments, workers, threads in (
        ([], 8, 1),
        (["--workers", "2"], 2, 4),
        (["--workers", "3"], 3, 2),
        (["--workers", "16"], 16, 1),
        (["--workers", "2", "--threads", "1"], 2, 1),
    ):
        _, options = parse(
            ["--set", f"seed={','.join(map(str, range(20)))}", *arguments]
        )
        assert (options.workers, options.threads) == (workers, threads)


def test_no_more_workers_than_runs(monkeypatch):
    monkeypatch.setattr("helpers.sweeps.command_line.usable_cores", lambda: 8)
    _, options = parse(["--set", "seed=0,1"])
    assert (options.workers, options.threads) == (2, 4)


def test_runs_share_exactly_what_their_parameters_leave_equal():
    base, head, epochs, scale, seed = (
        grid(setting)[0].values
        for setting in (
            "head=conv",
            "head=dense",
            "epochs=2",
            "pixel_scale=1",
            "seed=7",
        )
    )
    assert training_key(base) == training_key(head)
    assert len({training_key(v) for v in (base, epochs, scale, seed)}) == 4
    assert data_key(base) == data_key(epochs) == data_key(seed) == data_key(head)
    assert data_key(base) != data_key(scale)


def test_run_is_known_by_parameters_and_content_not_by_where_images_came_from():
    one, other = grid("dataset=mnist,auto")
    assert run_id(one.values, "a") == run_id(other.values, "a")
    assert run_id(one.values, "a") != run_id(one.values, "b")
    (third,) = grid("seed=9")
    assert run_id(one.values, "a") != run_id(third.values, "a")
