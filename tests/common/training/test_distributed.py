"""Several processes: what they send each other, and that they end together."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed
from torch.nn.parallel import DistributedDataParallel

from common.training.distributed import Distributed
from tests.common.training.test_finite_steps import Network, make_learner, weights

ONE_DIVERGES = """
import os, sys
from common.runtime import processes
from common.runtime.command import run_command
from common.runs.outcome import run_training
from common.training import learner
from tests.common.training.test_finite_steps import NAN, Network, make_learner
def work():
    processes.join("cpu")
    faulty = {2: NAN} if processes.rank() == 1 else {}
    learn = make_learner(Network(**{sys.argv[1]: faulty}), bs=1)
    learn.fit_stages()
    print(f"skipped {learn.finite_steps.total}", flush=True)  # in one piece, since the other prints too
run_command(lambda: run_training("superres.train", work, lambda: None))
"""


class OneProcess(Distributed):
    """A process that trains with others, of which there are none; it counts what it sends."""

    def __init__(self):
        self.sent = 0

    def before_fit(self):
        self.learn.model = DistributedDataParallel(self.learn.model)
        self.learn.model.register_comm_hook(None, self.count)
        self.old_dls = list(self.dls)

    def count(self, _state, bucket):
        self.sent += 1
        future = torch.futures.Future()
        future.set_result(bucket.buffer())
        return future


@pytest.fixture
def group(tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def test_gradients_are_sent_once_a_step_however_many_parts_it_has(group):
    torch.manual_seed(0)
    network = Network()
    state = {name: value.clone() for name, value in network.state_dict().items()}
    learn = make_learner(network, bs=1, accumulate=2, epochs=1)
    learn.add_cb(OneProcess())
    learn.fit_stages()
    assert learn.one_process.sent == 4  # one bucket, four steps
    alone = Network()
    alone.load_state_dict(state)
    alone = make_learner(alone, bs=1, accumulate=2, epochs=1)
    alone.fit_stages()
    assert torch.equal(weights(learn), weights(alone))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "status", "said"),
    [("forward", 1, "error: the loss is nan in epoch 1, batch 3 (l1 nan)"), ("backward", 0, "skipped 1")],
)
def test_what_is_not_finite_in_one_process_is_known_to_all(where, status, said, tmp_path):
    (tmp_path / "diverge.py").write_text(ONE_DIVERGES)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", tmp_path / "diverge.py", where]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}  # where `tests` is
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    printed = done.stdout + done.stderr
    assert done.returncode == status, printed
    assert printed.count(said) == (1 if status else 2), printed  # an error is said once
    assert "this should not happen" not in printed  # as when the others are gone
