"""One life of a kernel: cells run in order in a fresh process until one of them ends it.

`portable.live` and `warm.live` do this, each in its own way and with the same signature; here is what both take and give.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from nbclient import NotebookClient
from nbformat import NotebookNode, from_dict

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
    """nbclient's way from a kernel's messages to a cell's outputs, with an end to how much a cell may put out.

    What messages hold may come from anybody; a message that no kernel would send raises some exception.
    """

    def __init__(self, requests: list[Request], cell_output: int, **options):
        cells = [new_cell(request.code) for request in requests]
        super().__init__(NotebookNode(cells=cells, metadata=NotebookNode(), nbformat=4, nbformat_minor=5), allow_errors=True,
                         skip_cells_with_tag="", coalesce_streams=False, **options)
        self.log.setLevel("CRITICAL")
        self.cell_output = cell_output
        self.begin()

    def begin(self) -> None:
        """The messages of another cell follow."""
        self.printed = 0
        self.clear_before_next_output = False

    def output(self, outs, msg, display_id, cell_index):
        """Keep no more than the limit of what a cell puts out; the rest is dropped as it arrives."""
        limit, output = self.cell_output, new_output(msg["msg_type"], msg["content"])
        if self.clear_before_next_output:
            outs[:] = []
            self.clear_display_id_mapping(cell_index)
            self.clear_before_next_output = False
        if output.output_type == "error":                  # always kept: it decides
            outs.append(shortened(output, limit))
            return
        if self.printed > limit:
            return
        self.printed += len(str(msg["content"]))
        if self.printed > limit:
            text = output.get("text", "")[:limit] + f"\n… more than {limit:,} characters of output; the rest is left out\n"
            output = NotebookNode(output_type="stream", name="stdout", text=text)
        if display_id:
            self._display_id_map.setdefault(display_id, {}).setdefault(cell_index, []).append(len(outs))
        outs.append(output)


def new_cell(code: str) -> NotebookNode:
    return NotebookNode(cell_type="code", metadata=NotebookNode(), source=code, outputs=[], execution_count=None)


def new_output(kind: str, content: dict) -> NotebookNode:
    """nbformat's output for a message, checked for what it must hold, and much faster. Raises ValueError."""
    match kind, content:
        case "stream", {"name": "stdout" | "stderr" as name, "text": str(text)}:
            return NotebookNode(output_type="stream", name=name, text=text)
        case "display_data" | "execute_result", {"data": dict(data), "metadata": dict(metadata)}:
            count = {"execution_count": content.get("execution_count")} if kind == "execute_result" else {}
            return from_dict({"output_type": kind, "data": data, "metadata": metadata} | count)
        case "error", {"ename": str(name), "evalue": str(value), "traceback": list(traceback)}:
            return NotebookNode(output_type="error", ename=name, evalue=value, traceback=[str(line) for line in traceback])
    raise ValueError(f"no output of a cell: {kind}")


def shortened(output: NotebookNode, limit: int) -> NotebookNode:
    """An error of not much more than `limit` characters."""
    left = limit
    for i, line in enumerate(output.traceback):
        output.traceback[i], left = line[:max(left, 0)], left - len(line)
    output.evalue = output.evalue[:limit]
    return output


def finish(cell: NotebookNode, reply: dict, limit: int) -> None:
    """Bring a cell's outputs into nbgrader's form: the error of the reply is one of them, streams are one each."""
    name = reply.get("ename", "")
    if reply.get("status") == "error" and not any(output.get("ename") == name for output in cell.outputs):
        traceback = reply.get("traceback") or ["ERROR: An error occurred while showtraceback was disabled"]
        content = {"ename": name, "evalue": reply.get("evalue", ""), "traceback": traceback}
        cell.outputs.append(shortened(new_output("error", content), limit))
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
