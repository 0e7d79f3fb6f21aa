"""The plans that can answer a request, and the one that is taken.

As in MongoDB's classic planner: every index whose first field has a condition (or whose order is the sort's) makes a
plan; the collection is scanned only when there is none. Several plans run side by side for a trial, piece of work by piece
of work, until one has 101 results or its end: the most productive wins (ranker.cpp of the server says how it scores).
"""

from dataclasses import replace

from stores.mongodb.errors import MongoError, bad_value
from stores.mongodb.indexes.kinds import MixedIndex, TextIndex, WildcardIndex
from stores.mongodb.indexes.values import key_value
from stores.mongodb.planner import access as ways
from stores.mongodb.planner import nodes
from stores.mongodb.planner.building import build
from stores.mongodb.planner.hints import hinted
from stores.mongodb.planner.intervals import is_regex
from stores.mongodb.planner.predicates import analyse, is_operators
from stores.mongodb.planner.residual import residual, shown, together
from stores.mongodb.query import Query

TRIAL_RESULTS = 101
TRIAL_WORKS = 10_000
TRIAL_PART = 0.3  # of the collection, if that is more
EPSILON = 1e-4


class Plan:
    """A tree of stages for a request; its rows may be asked for once. `scans` are the Accesses it is made of."""

    def __init__(self, root, scans=()):
        self.root = root
        self.scans = scans
        self._rows = None
        self._kept = []
        self.finished = False
        self.works = 0
        self.tried = None  # the numbers of the trial, for explain

    def work(self):
        """Do one piece of work of a trial; return whether that was the end."""
        if self._rows is None:
            self._rows = self.root.rows()
        try:
            row = next(self._rows)
        except StopIteration:
            self.finished = True
            return True
        self.works += 1
        if row is not None:
            self._kept.append(row)
        return len(self._kept) >= TRIAL_RESULTS

    def rows(self):
        """Yield the rows, those of the trial first."""
        kept, self._kept = self._kept, []
        yield from kept
        if self._rows is None:
            self._rows = self.root.rows()
        if not self.finished:
            yield from self._rows

    def score(self):
        """Return how well it did in the trial: results for each piece of work, and a little for what it can do without."""
        bonus = min(EPSILON, 1 / (10 * max(self.works, 1)))
        without = sum(not any(self.root.find(kind)) for kind in (nodes.Fetch, nodes.Sort))
        return 1 + len(self._kept) / max(self.works, 1) + (without + 1) * bonus + self.finished

    def rank(self):
        return max((scan.rank() for scan in self.scans), default=(0, 0, 0))


class Chosen:
    """The plan taken, the plans rejected (those of a trial have numbers), and the rows."""

    def __init__(self, store, request, plan, rejected=()):
        self.store, self.request, self.plan, self.rejected = store, request, plan, list(rejected)
        self._told = (0, 0)
        for tree in {node.tree for node in plan.root.find(nodes.Node) if node.tree is not None}:
            tree.accesses += 1

    def rows(self):
        """Yield (record, document), telling the request's stats what was examined."""
        documents = self.store.documents_by_record
        for row in self.plan.rows():
            self._tell()
            if row is not None:
                document = row[1] if row[1] is not None else documents.get(row[0])
                if document is not None:
                    yield row[0], document
        self._tell()

    def key_of(self, document):
        """Return what the index of the plan has of a document, {path: value}; nothing if the collection is scanned."""
        tree = next((node.tree for node in self.plan.root.find(nodes.Node) if node.tree is not None), None)
        return key_value(tree, tree.keys(document)[0], document) if tree is not None else {}

    def count(self):
        """Return the number of rows."""
        for _ in self.rows():
            pass
        return self.plan.root.counted

    def _tell(self):
        stats, root = self.request.stats, self.plan.root
        now = root.total("docs_examined"), root.total("keys_examined")
        if now != self._told:
            stats.documents_examined += now[0] - self._told[0]
            stats.keys_examined += now[1] - self._told[1]
            self._told = now


def choose(store, request):
    """Return the Chosen for a request. Raises MongoError for a bad hint, a missing text or geo index."""
    if not store.is_created:
        return Chosen(store, request, Plan(build(store, request, nodes.NoRows())))
    plans = candidates(store, request)
    if request.time_limit is not None:
        _limit(plans, request.time_limit)
    if len(plans) == 1:
        return Chosen(store, request, plans[0])
    best = trial(store, plans)
    if request.explaining:
        for plan in plans:
            plan.tried = {"score": plan.score(), **numbers(plan.root), "executionStages": plan.root.executed()}
    return Chosen(store, request, best, [plan for plan in plans if plan is not best])


def _limit(plans, time_limit):
    for node in (node for plan in plans for node in plan.root.find(nodes.Node)):
        if not node.inputs:
            node.time_limit = time_limit


def numbers(root):
    """Return what executionStats begins with."""
    return {
        "nReturned": root.advanced, "executionTimeMillisEstimate": 0, "totalKeysExamined": root.total("keys_examined"),
        "totalDocsExamined": root.total("docs_examined"),
    }  # fmt: skip


def trial(store, plans):
    """Run plans side by side for a while; return the best."""
    most = max(TRIAL_WORKS, int(TRIAL_PART * len(store)))
    for _ in range(most):
        if any([plan.work() for plan in plans]):
            break
    return max(plans, key=lambda plan: (plan.score(), plan.rank()))


def candidates(store, request):
    """Return the plans that MongoDB would consider."""
    conjunction = analyse(request.filter)
    if request.query.near is not None:
        return [_near(store, request)]
    if request.text is not None:
        return [_text(store, request)]
    if request.hint is not None or request.min or request.max:
        return hinted(store, request, conjunction, _plan_through, scan_all)
    if _finds_by_id(store, request):
        return [Plan(build(store, request, nodes.IdHack(store, request.filter["_id"])))]
    if request.purpose == "count" and not request.filter:
        return [Plan(nodes.FastCount(store, request.skip, request.limit))]
    trees = [tree for tree in store.trees.values() if not tree.hidden]
    plans = []
    for tree in trees:
        access = ways.through(tree, conjunction, request)
        if access is not None:
            plans += _plan_through(store, request, conjunction, access)
    for branches in conjunction.alternatives:
        plan = _either(store, request, conjunction, branches, trees)
        plans += [plan] if plan else []
    used = {scan.tree for plan in plans for scan in plan.scans if _in_order(plan)}
    plans += [plan for tree in trees if tree not in used for plan in _whole(store, request, conjunction, tree)]
    return plans or [scan_all(store, request)]


def _in_order(plan):
    return not any(plan.root.find(nodes.Sort))


def scan_all(store, request, direction=1):
    """Return the plan that looks at every document."""
    return Plan(build(store, request, nodes.CollectionScan(store, shown(analyse(request.filter)), request.query, direction)))


def _finds_by_id(store, request):
    if set(request.filter) != {"_id"} or store.is_time_series or request.sort or request.skip or request.purpose == "distinct":
        return False
    value = request.filter["_id"]
    same = (
        request.fold is None
        if store.fold is None
        else request.fold is not None and request.collation == store.options.get("collation")
    )
    return same and not is_operators(value) and not is_regex(value) and not isinstance(value, list) and value is not None


def _plan_through(store, request, conjunction, access):
    """Return the plans (one or none) of a scan: in the sort's order if it has it, merged from several, or sorted after."""
    if request.sort and not _meta(request.sort):
        direction = ways.provides_sort(access, request.sort, request)
        if direction:
            access.direction = direction
        else:
            parts = ways.exploded(access, request.sort, request)
            if parts:
                return [Plan(_merged(store, request, conjunction, parts), parts)]
    source, covered = _source(store, request, conjunction, access)
    in_order = not request.sort or (not _meta(request.sort) and bool(ways.provides_sort(access, request.sort, request)))
    return [Plan(build(store, request, source, in_order, covered, access), [access])]


def _meta(sort):
    return any(isinstance(way, dict) for way in sort.values())


def _merged(store, request, conjunction, parts):
    scans = [_scan(store, part) for part in parts]
    rest = together(residual(conjunction, parts[0]))
    merged = nodes.SortMerge(store, request.sort, request.fold, *scans)
    return build(store, request, nodes.Fetch(store, rest, request.query, merged), True)


def _source(store, request, conjunction, access):
    """Return (stage, whether keys alone answer) of one scan."""
    rest = residual(conjunction, access)
    if _covers(request, access, rest):
        return _scan(store, access), True
    return nodes.Fetch(store, together(rest), request.query, _scan(store, access)), False


def _scan(store, access):
    filter = together(leaf.source for leaf in access.by_keys)
    return nodes.IndexScan(store, access, filter, Query(filter, fold=access.tree.fold) if filter else None)


def _covers(request, access, rest):
    tree = access.tree
    if rest or request.needs is None or isinstance(tree, TextIndex | WildcardIndex | MixedIndex):
        return False
    if not ways.same_collation(tree, request) or tree.fold is not None:
        return False
    if not request.needs:
        return not request.sort
    sorted_by = set(request.sort or ()) if not ways.provides_sort(access, request.sort or {}, request) else set()
    return not tree.multikey and request.needs | sorted_by <= set(tree.fields)


def _whole(store, request, conjunction, tree):
    """Return the plan that reads a whole index because its order is the sort's, or jumps through it for distinct values."""
    if tree.sparse or tree.matches is not None or isinstance(tree, TextIndex | WildcardIndex):
        return []
    access = ways.whole(tree)
    if request.sort and not _meta(request.sort):
        direction = ways.provides_sort(access, request.sort, request)
        if direction:
            return _plan_through(store, request, conjunction, access)
    if request.purpose == "distinct" and not request.filter and tree.fields[0] == request.distinct and not tree.multikey:
        return _plan_through(store, request, conjunction, access)
    return []


def _either(store, request, conjunction, branches, trees):
    """Return the plan of an $or, each branch of which has an index; None if one has not."""
    scans, sources = [], []
    for branch in branches:
        found = [each for tree in trees if (each := _branch(tree, conjunction, branch, request))]
        if not found:
            return None
        best = max(found, key=lambda access: access.rank())
        scans.append(best)
    merge = request.sort and not _meta(request.sort) and all(ways.provides_sort(scan, request.sort, request) for scan in scans)
    for branch, scan in zip(branches, scans, strict=True):
        if merge:
            scan.direction = ways.provides_sort(scan, request.sort, request)
        sources.append(_branch_source(store, branch, scan, request))
    either = nodes.SortMerge(store, request.sort, request.fold, *sources) if merge else nodes.Or(*sources)
    settled = [leaf for leaf in conjunction.leaves if all(_settles(scan, leaf) for scan in scans)]
    rest = together(residual(conjunction, ways.Access(None, [], settled), branches))
    source = nodes.Fetch(store, rest, request.query, either)
    return Plan(build(store, request, source, bool(merge) or not request.sort), scans)


def _settles(scan, leaf):
    return any(leaf is each for each in (*scan.exact, *scan.by_keys))


def _branch(tree, conjunction, branch, request):
    """Return the Access of one branch of an $or, or None. What stands beside the $or helps too, as in MongoDB since 3.6.

    Some condition of the branch itself must be on a field of the index: plan_enumerator.cpp pushes others down to it.
    """
    if branch.alternatives and not branch.leaves:
        return None
    asked = replace(request, filter={"$and": [request.filter, branch.filter]} if branch.filter else request.filter)
    if isinstance(tree, WildcardIndex) or not any(leaf.path in tree.fields for leaf in branch.leaves):
        return ways.through(tree, branch, asked)
    return ways.through(tree, replace(branch, leaves=[*branch.leaves, *conjunction.leaves]), asked)


def _branch_source(store, branch, scan, request):
    rest = residual(branch, scan)
    source = _scan(store, scan)
    return nodes.Fetch(store, together(rest), Query(branch.filter, fold=request.fold), source) if rest else source


def _near(store, request):
    """Return the plan of $near: the one geo index of the path."""
    path = request.query.near.path
    for tree in store.trees.values():
        if isinstance(tree, MixedIndex) and path in tree.geo and not tree.hidden:
            source = nodes.GeoNear(store, tree, request.filter, request.query)
            return Plan(build(store, request, source, not request.sort))
    raise MongoError(
        "NoQueryExecutionPlans",
        f"error processing query: ns={store.namespace} planner returned error :: caused by :: unable to find index for $geoNear query",
    )


def _text(store, request):
    tree = next((tree for tree in store.trees.values() if isinstance(tree, TextIndex)), None)
    if tree is None:
        raise MongoError("IndexNotFound", "text index required for $text query")
    if request.hint is not None:
        raise bad_value("A hint is not allowed in a query with $text")
    source = nodes.TextMatch(store, tree, request.text, request.filter, request.query)
    return Plan(build(store, request, source, not request.sort))
