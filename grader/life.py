"""One life of a kernel: cells run in order in a fresh process until one of them ends it.

`portable.live` and `warm.live` do this, each in its own way and with the same signature; here is what both take and give.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output

from grader.limits import End

CARRIAGE_RETURN = re.compile(r".*\r(?=[^\n])")


@dataclass(frozen=True)
class Request:
    """A cell to run. `number` is that of a check cell's verdict, known to nobody else; "" for other cells."""
    code: str
    number: str = ""


@dataclass
class Outcome:
    """What came of a request: the cell with its outputs, the kernel's reply (its content; {} if none), and the seconds it took."""
    cell: NotebookNode
    end: End
    reply: dict = field(default_factory=dict)
    seconds: float = 0.0
    cpu: float = 0.0               # seconds of processor time of its process and those that it waited for; 0 if not known


class Recorder(NotebookClient):
    """nbclient's way from a kernel's messages to a cell's outputs, with an end to how much a cell may put out."""

    def __init__(self, requests: list[Request], cell_output: int, **options):
        cells = [new_code_cell(request.code) for request in requests]
        super().__init__(new_notebook(cells=cells), allow_errors=True, skip_cells_with_tag="", coalesce_streams=False, **options)
        self.log.setLevel("CRITICAL")
        self.cell_output = cell_output
        self.begin()

    def begin(self) -> None:
        """The messages of another cell follow."""
        self.printed = 0
        self.clear_before_next_output = False

    def output(self, outs, msg, display_id, cell_index):
        """Keep no more than the limit of what a cell puts out; the rest is dropped as it arrives."""
        if self.printed > self.cell_output:
            return None
        self.printed += len(str(msg["content"]))
        if self.printed > self.cell_output and msg["msg_type"] != "error":
            text = f"\n… more than {self.cell_output:,} characters of output; the rest is left out\n"
            kept = msg["content"].get("text", "")[:self.cell_output] if msg["msg_type"] == "stream" else ""
            outs.append(new_output("stream", name="stdout", text=kept + text))
            return None
        return super().output(outs, msg, display_id, cell_index)


def finish(cell: NotebookNode, reply: dict) -> None:
    """Bring a cell's outputs into nbgrader's and nbclient's form: the reply's error is there, streams are one each."""
    if reply.get("status") == "error" and not any(output.output_type == "error" for output in cell.outputs):
        plain = error(reply.get("ename", ""), reply.get("evalue", ""))
        cell.outputs.append(new_output("error", **plain | {"traceback": reply.get("traceback") or plain["traceback"]}))
    cell.outputs = coalesced(cell.outputs)


def coalesced(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """All text of a stream in one output, where its first stood, stdout before stderr; the rules of nbclient's `coalesce_streams`."""
    merged, streams = [], {}
    for output in outputs:
        if output.output_type == "stream" and output.name in streams:
            streams[output.name].text += output.text
            continue
        if output.output_type == "stream":
            streams[output.name] = output
        merged.append(output)
    for stream in streams.values():
        stream.text = CARRIAGE_RETURN.sub("", stream.text)
    for i, (first, second) in enumerate(pairwise(merged)):
        if first.get("name") == "stderr" and second.get("name") == "stdout":
            merged[i], merged[i + 1] = second, first
            break
    return merged


def error(kind: str, message: str) -> dict:
    """The fields of an error output without a traceback."""
    return {"ename": kind, "evalue": message, "traceback": [f"{kind}: {message}"]}


def slow(seconds: float) -> dict:
    """The reply that stands for a cell's own when it was interrupted at its limit."""
    return {"status": "error", **error("CellTimeoutError", f"stopped after {seconds:g} seconds")}


Live = Callable[..., list[Outcome]]        # (job, requests, seconds) → an Outcome for each request that ran
