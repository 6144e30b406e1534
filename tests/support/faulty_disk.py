"""Nodes whose vaults have the failing system of tests/faults/ in them: calls that fail as planned, and power that goes."""
import os
import pathlib
import shutil
import signal
import tempfile

from tests.support.demo import BIN, Demo, run, wait_until
from tests.support.preload import preload
from tests.support.senders import SendersCase


class FaultyDemo(Demo):
    def __init__(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="xinfu-faulty-"))
        try:
            preload(BIN, self.place, BIN / "failing_system.so")
            super().__init__(self.place)
        except BaseException:
            shutil.rmtree(self.place, ignore_errors=True)
            raise

    def down(self):
        try:
            super().down()
        finally:
            shutil.rmtree(self.place, ignore_errors=True)

    def state(self, node):
        return pathlib.Path(self[node + "_STATE"])

    def plan(self, call, at, fault, error=0, node="CITY"):
        """The node's vault fails so at the `at`-th call of this kind from now on: any, open, write, sync or name. See
        tests/faults/failing_system.hpp."""
        faults = self.state(node) / "faults"
        (faults / "fired").unlink(missing_ok=True)
        (faults / "next").write_text(f"{call} {at} {fault} {error}\n")
        (faults / "next").rename(faults / "plan")

    def fired(self, node="CITY"):
        return (self.state(node) / "faults" / "fired").exists()

    def cut_power(self, node, loss):
        """All of a node's processes are gone at once, and of what they had not synced `loss`: everything, or every second
        change, even or odd. Answers how many changes were not synced."""
        supervisor, others = self.supervisor(node), [pid for pids in self.pids(node).values() for pid in pids]
        os.kill(supervisor, signal.SIGKILL)  # the others die with it
        self.await_end(node, supervisor, others)
        return int(run(BIN / "lose_unsynced", self.state(node), loss).stdout)

    def await_return(self, node):
        try:
            wait_until(lambda: self.checkpoint(node), 120, 0.1, f"the return of {node}")
        except AssertionError as why:
            raise AssertionError(f"{why}\n{(self.dir / node.lower() / 'restarted.log').read_text()[-3000:]}")


class FaultyCase(SendersCase):
    @classmethod
    def setUpClass(cls):
        cls.demo = FaultyDemo()
