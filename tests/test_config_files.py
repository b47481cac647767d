"""Files of configurations as editors and shells write them; and names and links of the files that are written."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from helpers import circle, posix_only, small_config

import plrnn_numba as pl
from plrnn_numba.basics.options import ConfigError
from plrnn_numba.config import apply_changes
from plrnn_numba.runs.checkpoints import write_atomically, written_whole
from plrnn_numba.runs.commands.common import DONE, MISTAKE
from plrnn_numba.runs.commands.main import main

JSON = '{"latent_dim": 3,\n "latent_step": {"name": "PLRNN"}}\n'
TOML = 'latent_dim = 3\n# Größe\n[latent_step]\nname = "PLRNN"\n'
EXPECTED = pl.Config.from_dict({"latent_dim": 3, "latent_step": {"name": "PLRNN"}})


@pytest.mark.parametrize("name, text", [("c.json", JSON), ("c.toml", TOML)])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_configuration_in_any_unicode(tmp_path, name, text, end, encoding):
    path = tmp_path / name
    path.write_bytes(text.replace("\n", end).encode(encoding))
    assert pl.Config.from_file(path) == EXPECTED


@pytest.mark.parametrize(
    "name, raw, message",
    [
        ("c.json", JSON.encode() + b"// \xdf", "cannot be read: line 3 is not UTF-8 (unexpected end of data); save it as UTF-8"),
        ("c.toml", TOML.encode("latin-1"), "cannot be read: line 2 is not UTF-8"),
        ("c.json", JSON.encode("utf-16")[:-1], "is not UTF-16 (truncated data); save it as UTF-8"),
        ("c.json", bytes(range(256)), "cannot be read: bytes that are no text"),
        ("c.json", b'{"latent_dim": 3, "latent_dim": 4}', "not valid JSON: the key 'latent_dim' stands twice in one mapping"),
        ("c.json", b'{"training": {"epochs": 1, "noise": 0, "epochs": 2}}', "the key 'epochs' stands twice in one mapping"),
        ("c.toml", b"latent_dim = 3\nlatent_dim = 4\n", "not valid TOML: Cannot overwrite a value (at line 2"),
        ("c.json", b"[" * 100_000, "not valid JSON: it is nested too deeply"),
        ("c.json", b'{"a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "not valid JSON: it is nested too deeply"),
        ("c.toml", b"a = " + b"[" * 100_000, "not valid TOML: it is nested too deeply"),
        ("c.json", b'{"latent_dim": 1' + b"0" * 5000 + b"}", "not valid JSON: "),
        ("c.toml", b"latent_dim = 1" + b"0" * 5000, "not valid TOML: "),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_line(tmp_path, capsys, name, raw, message):
    path = tmp_path / name
    path.write_bytes(raw)
    with pytest.raises(pl.ConfigError) as error:
        pl.Config.from_file(path)
    assert message in str(error.value)
    assert main(["train", str(path), "--system", "lorenz63"]) == MISTAKE
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert str(path) in err
    assert path.read_bytes() == raw


@pytest.mark.parametrize("length", [217, 250, 255])
def test_names_may_be_as_long_as_the_system_lets_them_be(tmp_path, monkeypatch, length):
    monkeypatch.chdir(tmp_path)
    model = pl.init_model(EXPECTED, 2)
    name = "m" * (length - 4) + ".npz"
    pl.save_model(name, model)
    assert pl.load_model(name).latent == model.latent
    pl.save_model(name, model)
    assert [path.name for path in Path().iterdir()] == [name]
    X = circle(300)
    np.save("x" * (length - 4) + ".npy", X)
    Path("c.json").write_text(json.dumps(small_config(training={"epochs": 1})))
    arguments = ["train", "c.json", "--data", "x" * (length - 4) + ".npy", "--quiet", "--no-plots"]
    assert main(arguments) == main(arguments) == DONE
    runs = sorted(Path("runs").iterdir())
    assert len(runs) == 2
    for out in ("o" * (length - 4) + ".npy", "o" * (length - 4) + ".csv"):
        assert main(["generate", str(runs[0]), "--steps", "5", "--out", out]) == DONE
        assert Path(out).exists()
    Path("r" * (length - 5) + ".json").write_bytes(Path("c.json").read_bytes())
    assert main(["train", "r" * (length - 5) + ".json", *arguments[2:]]) == DONE
    assert main(["train", "c.json", "--out", "q" * length, *arguments[2:]]) == DONE


def test_a_name_that_is_too_long_is_named(tmp_path, monkeypatch, capsys):
    name = tmp_path / ("m" * 252 + ".npz")
    with pytest.raises(OSError, match="File name too long") as error:
        pl.save_model(name, pl.init_model(EXPECTED, 2))
    assert error.value.filename == str(name)
    assert list(tmp_path.iterdir()) == []


@posix_only
def test_a_link_stays_one_and_what_it_leads_to_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = pl.init_model(EXPECTED, 2)
    Path("store").mkdir()
    Path("store/old.npz").write_bytes(b"old")
    Path("store/old.npz").chmod(0o640)
    Path("m.npz").symlink_to("store/old.npz")
    Path("new.npz").symlink_to("store/new.npz")  # to what is not there yet
    Path("far.npz").symlink_to("m.npz")
    for name in ("m.npz", "new.npz", "far.npz"):
        pl.save_model(name, model)
        assert Path(name).is_symlink()
        assert pl.load_model(name).latent == model.latent
    assert pl.load_model("store/old.npz").latent == model.latent
    assert Path("store/old.npz").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in Path("store").iterdir()) == ["new.npz", "old.npz"]
    np.save("X.npy", circle(300))
    Path("c.json").write_text(json.dumps(small_config(training={"epochs": 1})))
    assert main(["train", "c.json", "--data", "X.npy", "--out", "r", "--quiet", "--no-plots"]) == DONE
    for name in ("o.npy", "o.csv"):
        Path(name).symlink_to(f"store/{name}")
        assert main(["generate", "r", "--steps", "5", "--out", name]) == DONE
        assert Path(name).is_symlink()
        assert Path(f"store/{name}").stat().st_size > 0
    Path("a.npz").symlink_to("b.npz")
    Path("b.npz").symlink_to("a.npz")
    with pytest.raises(OSError, match="symbolic links"):
        write_atomically("a.npz", b"new")
    assert Path("a.npz").is_symlink()


def test_a_file_that_cannot_be_written_to_its_end_stays_as_it_was(tmp_path):
    path = tmp_path / "m.npz"
    write_atomically(path, b"old")
    with pytest.raises(UnicodeEncodeError), written_whole(path) as file:
        file.write(b"new" + "\udcff".encode())
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["m.npz"]
    with pytest.raises(FileNotFoundError) as error:
        write_atomically(tmp_path / "nowhere" / "m.npz", b"new")
    assert error.value.filename == str(tmp_path / "nowhere" / "m.npz")


def test_a_key_that_stands_twice_in_a_value_of_set_is_an_error():
    with pytest.raises(ConfigError, match="--set: forcing: the key 'name' stands twice in one mapping"):
        apply_changes({}, ['forcing={"name": "STF", "name": "GTF"}'])
