"""An executor without a wall, for tests of what is done with evaluations: it runs trusted policies in this process."""

from __future__ import annotations

import ast
import asyncio
import hashlib
from collections.abc import Sequence

from adrs.errors import HouseError
from adrs.evaluation.executor import Description
from adrs.evaluation.outcome import Evaluation, Inspection, Limits, Listed
from adrs.evaluation.protocol import Evaluator, Split, WrongAnswer
from adrs.testing.direct import DirectPolicy


class InProcessExecutor:
    """Evaluates in this process; counts what it was asked for."""

    def __init__(self, evaluator: Evaluator, fingerprint: str = "in-process") -> None:
        self.evaluator = evaluator
        self.fingerprint = fingerprint
        self.submitted = 0
        self.running = 0

    async def describe(self) -> Description:
        return Description(self.evaluator.interface, sandbox="none", fingerprint=self.fingerprint)

    async def workloads(self, split: Split, salt: int = 0) -> Sequence[Listed]:
        return [
            Listed(split, salt, index, one.name, one.regime, one.cluster, one.hash, self.evaluator.bound(one))
            for index, one in enumerate(self.evaluator.workloads(split, salt))
        ]

    async def inspect(self, source: str) -> Inspection:
        try:
            tree = ast.parse(source)
        except SyntaxError as error:
            return Inspection("invalid", error=f"line {error.lineno}: {error.msg}")
        defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        for name in self.evaluator.interface.names:
            if name not in defined:
                return Inspection("invalid", error=f"it does not define `{name}`")
        return Inspection("ok", hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16])

    async def submit(self, source: str, workload: Listed, limits: Limits, repeat: int = 0) -> Evaluation:
        self.submitted += 1
        self.running += 1
        try:
            await asyncio.sleep(0)
            listed = self.evaluator.workloads(workload.split, workload.salt)[workload.index]
            return Evaluation("ok", self.evaluator.run(listed, DirectPolicy.from_source(source)), seconds=0.25)
        except WrongAnswer as error:
            return Evaluation("wrong", error=str(error))
        except HouseError:
            raise
        except Exception as error:
            return Evaluation("crash", error=f"{type(error).__name__}: {error}")
        finally:
            self.running -= 1

    async def close(self) -> None:
        pass
