import json
import os

import pytest
import torch

from common.evaluation.grid import save_grid
from common.evaluation.report import write_evaluation_page
from common.pages.private_paths import hide_user
from common.runs import page as run_page
from common.runs.page import get_frames, read_history, write_run_page
from common.runtime.errors import WriteError
from tests.common.pages.test_in_browser import make_results, make_run


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The home folder of a user called zaphod."""
    folder = tmp_path / "zaphod"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    monkeypatch.setenv("LOGNAME", "zaphod")
    return folder


def test_pages_do_not_name_the_user(home):
    run = make_run(home / "my runs/x", 1)
    (start,) = json.loads((run / "environment.json").read_text())
    start["keys"] = {"data.path": str(home / "photos"), "style.image": ["/mnt/zaphod/wave.png"]}
    (run / "environment.json").write_text(json.dumps([start]))
    (run / "log.txt").write_text(f"2026-11-25 12:00:00,123 skipped {home}/photos/it's.png: truncated")
    page = write_run_page(run, f"{home}: no space left", make_results(bicubic=(255, 0, 0))).read_text()
    assert "zaphod" not in page
    for text in ("~: no space left", "~/photos", "/mnt/.../wave.png", "skipped ~/photos/it&#39;s.png: truncated"):
        assert text in page
    assert "python -m superres.train --resume &#39;~/my runs/x&#39;" in page  # our commands know ~ in quotes, too
    write_evaluation_page(run, make_results(bicubic=(255, 0, 0)), "x", f"3 photos of {home}/photos")
    assert "3 photos of ~/photos" in (run / "report.html").read_text()


def test_a_run_with_balanced_terms_shows_their_shares_of_the_pull(tmp_path):
    run = make_run(tmp_path / "x", 2)
    history = read_history(run).assign(pull_l1=[0.25, 0.4], pull_ssim=[0.75, 0.6])
    history.to_csv(run / "history.csv", index=False)
    page = write_run_page(run, "finished").read_text()
    assert "Shares of the pull on the picture, %: l1 from 25 to 40; ssim from 75 to 60" in page
    assert "pull_l1" not in page  # neither a chart of its own nor among the best epoch's figures


def test_the_shares_that_balanced_weights_began_with_are_a_fact(tmp_path):
    run = make_run(tmp_path / "x", 1)
    assert "pull at the start" not in write_run_page(run, "finished").read_text()
    lines = ["loss.l1: 25 % of the pull, a weight of 0.3", "loss.ssim: 75 % of the pull, a weight of 12"]
    (run / "log.txt").write_text("".join(f"2026-11-30 12:00:00,000 {line}\n" for line in lines))
    page = write_run_page(run, "finished").read_text()
    assert "<td>pull at the start</td><td>l1 25 %, ssim 75 %</td>" in page


def test_only_whole_folders_are_taken_for_the_users(home):
    for text in (f"/mnt{home}", f"{home}2/x", "zaphod", "data:/zaphod/", str(home.parent), 1.5, None):
        assert hide_user(text) == text
    assert hide_user(f"{home}, '{home}/a'") == "~, '~/a'"


def test_commands_of_a_run_below_the_current_folder_are_as_they_were_typed(tmp_path, monkeypatch):
    run = make_run(tmp_path / "runs/x", 1)
    monkeypatch.chdir(tmp_path)
    assert "python -m superres.predict runs/x PHOTO_OR_FOLDER" in write_run_page(run, "finished").read_text()


def test_a_page_that_cannot_be_written_ends_nothing_and_is_told_once(tmp_path, monkeypatch, caplog):
    def fail(*_):
        raise WriteError("report.html: cannot be written (No space left on device)")

    run = make_run(tmp_path / "x", 1)
    monkeypatch.setattr(run_page, "write_within_limit", fail)
    for _ in range(2):
        write_run_page(run, "training")
    assert caplog.messages == ["skipped report.html: cannot be written (No space left on device); the training goes on"]


def test_pictures_of_a_deleted_run_do_not_come_back(tmp_path):
    def frame(brightness):
        save_grid(tmp_path / "epoch_001.png", {"prediction": [torch.full((3, 16, 16), brightness)]})
        os.utime(tmp_path / "epoch_001.png", ns=(0, int(1e9 * brightness)))  # clocks of file systems are coarse
        return get_frames(tmp_path, 1)[1]

    assert frame(0.0) != frame(1.0)


@pytest.mark.parametrize("content", ["", "\n", "epoch;valid_loss;seconds\n1;0.5;2\n", 'a,b\n"1,2\n'])
def test_a_history_that_somebody_spoiled_stops_no_page(tmp_path, content):
    assert read_history(tmp_path).empty
    (tmp_path / "history.csv").write_text(content)
    assert read_history(tmp_path).empty
    (tmp_path / "history.csv").write_text("epoch,stage,valid_loss,seconds\n1,1,0.5,2\n")
    assert len(read_history(tmp_path)) == 1


def test_pictures_are_in_the_order_of_their_epochs(tmp_path):
    for epoch in (999, 1000, 101):
        save_grid(tmp_path / f"epoch_{epoch:03}.png", {"prediction": [torch.zeros(3, 16, 16)]})
    assert [epoch for epoch, _ in get_frames(tmp_path, 9)[1]] == [101, 999, 1000]
