# ---
# title: "Exercises: graphs"
# minutes: 100
# summary: A loader that can run twice, recommendations, a ring of accounts, paths with a bound, and an order that survives faults.
# ---

# %% [markdown]
# # Exercises: graphs
#
# Five tasks with the shop's graph, each a little harder than in [the chapter](../../notebooks/09_graphs.ipynb).
# They do not depend on each other, so you can start anywhere.
#
# | | |
# |---|---|
# | `(:User {user_id, name, city})` | a user |
# | `(:Product {product_id, stock})` | a product |
# | `(:User)-[:FOLLOWS]->(:User)` | who follows whom |
# | `(:User)-[:BOUGHT]->(:Product)` | who bought what, one relationship for each user and product |
#
# Every function gets a `driver` and asks the database with it. Ids and names come from outside, so treat them as hostile.
# Efficiency is counted in queries and in rows that reach your program, never in seconds.
#
# Write your answer where the cell says `raise NotImplementedError`, run it, then run the checks below it.
# A check prints `ok`, or what it expected and what it got. More checks run at grading: they test only what the text of the task says.
# Stuck? Run `hint("9.1")` in a new cell, with the number of your task.

# %%
import neo4j
import stores
from course.check import hint
from course.graph import ask, connect, make

# %% [markdown]
# To try your own code, here is a server with a small graph in it. The checks delete what is there and make their own.

# %%
server = stores.start("neo4j")
driver = connect(server)
server.reset()
make(driver, follows="u17>u23 u17>u155 u23>u155 u155>u41", bought="u155>p90 u41>p7")
ask(driver, "MATCH (u:User)-[:FOLLOWS]->(other) RETURN u.user_id, other.user_id ORDER BY u.user_id, other.user_id")

# %% [markdown] task="9.1" name="load" minutes=18
# ### A loader that can run twice
#
# Every night the shop sends its users and follows, all of them, and some nights it sends them twice. The graph must be the same after one delivery and after two.
#
# Write `load(driver, users, follows)`. `users` is a list of dictionaries with `user_id`, `name` and `city`, `follows` a list of pairs `(follower, followed)` of ids.
# It returns the pairs that could not be loaded because one of the two users does not exist, as a sorted list of tuples, each once.
#
# ```python
# users = [{"user_id": "u1", "name": "Giulia Virtanen", "city": "Oslo"}, {"user_id": "u2", "name": "Chidi Almeida", "city": "Bogotá"}]
# load(driver, users, [("u1", "u2"), ("u1", "u9")])      # → [("u1", "u9")]
# ```
#
# * Afterwards there is one `User` for each `user_id`, with the name and city that were delivered last, also if one list has a user twice. A user's other properties stay. There is one `FOLLOWS` for each pair, also when a pair is delivered twice, on two nights or in one list.
# * A user who was loaded on an earlier night exists, also if today's list leaves them out.
# * A pair with a missing user adds nothing, neither a relationship nor a node. Nothing is ever deleted.
# * Names and ids may hold quotes, braces and Cypher. They are values.
# * At most 4 queries, however long the lists are. Lists may be empty.
# * Do not rely on a constraint. There may be one.

# %% [markdown] hints="load"
# - One query for all users, one for all follows: `UNWIND $rows AS row` makes a row of each item.
# - Merge a user on `user_id` alone, then `SET` the other properties. If name or city stand inside the braces of `MERGE`, a user who moves becomes a second user.
# - In the query for follows, `MATCH` both users and `MERGE` only the relationship. `MERGE (:User …)-[:FOLLOWS]->(:User …)` merges the whole pattern, and doubles users.
# - To know what is missing, ask which of the ids exist (`WHERE u.user_id IN $ids`), and compare in Python; or use `OPTIONAL MATCH` and return the pairs where one side is null.

# %% answer="load"
def load(driver, users, follows):
    """Bring users and follows into the graph; doing it again changes nothing.

    users    list of {"user_id": …, "name": …, "city": …}
    follows  list of (follower, followed) user ids

    Returns the sorted list of pairs that name a user who does not exist, each once.
    """
    ### BEGIN SOLUTION
    driver.execute_query(
        "UNWIND $users AS row MERGE (u:User {user_id: row.user_id}) SET u.name = row.name, u.city = row.city",
        users=users)
    driver.execute_query("""
        UNWIND $pairs AS pair
        MATCH (a:User {user_id: pair[0]}), (b:User {user_id: pair[1]})
        MERGE (a)-[:FOLLOWS]->(b)
        """, pairs=follows)
    named = list({user_id for pair in follows for user_id in pair})
    found = driver.execute_query("MATCH (u:User) WHERE u.user_id IN $ids RETURN u.user_id AS id", ids=named)
    known = {record["id"] for record in found.records}
    return sorted({tuple(pair) for pair in follows if not known.issuperset(pair)})
    ### END SOLUTION

# %% check="load" points=2
import stores
from course import graph

with task("9.1"):
    server = stores.start("neo4j")
    server.reset()
    giulia = {"user_id": "u1", "name": "Giulia Virtanen", "city": "Oslo"}
    chidi = {"user_id": "u2", "name": "Chidi Almeida", "city": "Bogotá"}
    users = "MATCH (u:User) RETURN u.user_id, u.name, u.city ORDER BY u.user_id, u.city"
    follows = "MATCH (a)-[:FOLLOWS]->(b) RETURN a.user_id, b.user_id ORDER BY a.user_id, b.user_id"
    with graph.connect(server) as driver:
        check("the pair without its user is returned", got=outcome(lambda: load(driver, [giulia, chidi], [("u1", "u2"), ("u1", "u9")])),
              want=[("u1", "u9")])
        check("two users are there, with name and city", got=graph.ask(driver, users),
              want=[("u1", "Giulia Virtanen", "Oslo"), ("u2", "Chidi Almeida", "Bogotá")],
              cause="merge each user by itself on user_id, then SET the rest; a pair with a missing user adds no node")
        check("one follows the other", got=graph.ask(driver, follows), want=[("u1", "u2")])
        load(driver, [giulia, chidi], [("u1", "u2"), ("u1", "u2")])
        check("loaded again, there are still two users", got=[row[0] for row in graph.ask(driver, users)], want=["u1", "u2"],
              cause="CREATE creates whatever is there; so does MERGE of a pattern that is not there as a whole")
        check("and one follow", got=graph.ask(driver, follows), want=[("u1", "u2")], cause="CREATE adds a relationship each time, MERGE does not")

# %% hidden="load" points=1 topic="users and pairs that are twice in a list, a user who moves, users of an earlier night, empty lists"
import stores
from course import graph

with task("9.1"):
    server = stores.start("neo4j")
    server.reset()
    with graph.connect(server) as driver:
        def person(number, city):
            return {"user_id": f"u{number}", "name": f"user {number}", "city": city}

        load(driver, [person(1, "Oslo"), person(2, "Lima")], [("u2", "u1"), ("u2", "u1")])
        graph.ask(driver, "MATCH (u:User {user_id: 'u1'}) SET u.credit = 500")
        check("nothing to load, nothing left over", got=load(driver, [], []), want=[])
        got = load(driver, [person(1, "Quito"), person(3, "Turin"), person(1, "Porto")], [("u8", "u1"), ("u3", "u2"), ("u1", "u9"), ("u8", "u1")])
        check("users of an earlier night exist, and each pair that is left over is returned once, sorted", got=got, want=[("u1", "u9"), ("u8", "u1")],
              cause="whether a user exists is a question to the database, not to today's list")
        cities = graph.ask(driver, "MATCH (u:User) RETURN u.user_id, u.city ORDER BY u.user_id, u.city")
        check("a user who moves is one user, in the new city", got=cities, want=[("u1", "Porto"), ("u2", "Lima"), ("u3", "Turin")],
              cause="properties inside MERGE's braces are part of what is looked for; ON CREATE SET is not done for a user who exists; "
                    "of a user who is twice in the list, the last one counts")
        credit = graph.ask(driver, "MATCH (u:User {user_id: 'u1'}) RETURN u.credit")
        check("the user's other properties stay", got=credit, want=[(500,)], cause="SET u = row replaces all properties; set name and city, or use +=")
        pairs = graph.ask(driver, "MATCH (a)-[:FOLLOWS]->(b) RETURN a.user_id, b.user_id ORDER BY a.user_id")
        check("the follows of both nights are there, each once", got=pairs, want=[("u2", "u1"), ("u3", "u2")],
              cause="a pair may be twice in one list, before either of them is in the graph: MERGE the relationship")

# %% hidden="load" points=1 topic="names and ids that try to be Cypher"
import stores
from course import graph

with task("9.1"):
    server = stores.start("neo4j")
    server.reset()
    hostile = ["Sean O'Brien", 'a "quoted" name', "x'}) WITH 1 AS x MATCH (n) DETACH DELETE n //", "back\\slash", "{$name}", "`", "İzmir 東京"]
    people = [{"user_id": f"id {name}", "name": name, "city": name[::-1]} for name in hostile]
    with graph.connect(server) as driver:
        graph.ask(driver, "CREATE (:Witness)")
        got = outcome(lambda: load(driver, people, [(people[0]["user_id"], person["user_id"]) for person in people[1:]]))
        check("every name is only a name", got=got, want=[], cause="send values as parameters ($users), never as part of the text")
        stored = graph.ask(driver, "MATCH (u:User) RETURN u.user_id, u.name, u.city ORDER BY u.name")
        check("each is stored as it was sent", got=stored, want=sorted((tuple(person.values()) for person in people), key=lambda row: row[1]))
        check("and the rest of the graph is untouched", got=graph.ask(driver, "MATCH (w:Witness) RETURN count(w)"), want=[(1,)])

# %% hidden="load" points=1 topic="how many queries the whole shop takes"
import stores
from course import graph, shopstream

with task("9.1"):
    server = stores.start("neo4j")
    server.reset()
    shop = shopstream.load()
    people = [{"user_id": user.user_id, "name": user.name, "city": user.city} for user in shop.users]
    with graph.connect(server) as driver:
        graph.ask(driver, "CREATE CONSTRAINT user_id IF NOT EXISTS FOR (u:User) REQUIRE u.user_id IS UNIQUE")
        with server.record() as log:
            got = load(driver, people[:150], shop.follows[:200])
        check("150 users and 200 follows take at most 4 queries", got=len(log.queries), want=between(1, 4),
              cause="one query for each user is one wait for each user; UNWIND makes rows of a list")
        known = {person["user_id"] for person in people[:150]}
        check("the follows of users who are not there yet are returned", got=len(got) if type(got) is list else got,
              want=sum(not known.issuperset(pair) for pair in shop.follows[:200]))

# %% [markdown] task="9.2" name="recommend" minutes=18
# ### What the friends of friends bought
#
# People trust the taste of their friends' friends, and it is less of a bubble than their own friends'. Recommend what those people bought.
#
# Write `recommend(driver, user_id, limit)`. A **friend** is a user whom `user_id` follows. A **friend of a friend** is followed by a friend, is not a friend, and is not the user.
# Return the products that friends of friends bought and the user has not, as tuples `(product_id, people)`, where `people` is the number of friends of friends who bought it.
#
# ```python
# # u1 follows u2, u2 follows u3, and u3 has bought p7
# recommend(driver, "u1", limit=5)      # → [("p7", 1)]
# ```
#
# * The most people first. If the numbers are the same, the smaller `product_id` first, as text: `p10` comes before `p2`.
# * At most `limit` tuples; `limit` is at least 1. A person who can be reached through two friends is one person.
# * A user who is not there, follows nobody, or has bought everything gets `[]`.
# * One query, which returns no more rows than you return tuples: the database sorts and cuts.

# %% [markdown] hints="recommend"
# - Draw it first: `(u)-[:FOLLOWS]->(friend)-[:FOLLOWS]->(other)-[:BOUGHT]->(p)`. Each match is a row, and one person may come in several rows.
# - What must not be there goes into `WHERE`: `NOT EXISTS { (u)-[:FOLLOWS]->(other) }`, the same for what the user bought, and `other <> u`.
# - `count(other)` counts rows. `count(DISTINCT other)` counts people.
# - Finish with `RETURN p.product_id AS product, count(DISTINCT other) AS people ORDER BY people DESC, product LIMIT $limit`.

# %% answer="recommend"
def recommend(driver, user_id, limit):
    """What friends of friends bought and the user has not.

    Returns at most `limit` tuples (product_id, people), the most people first, then by product_id.
    """
    ### BEGIN SOLUTION
    records, _, _ = driver.execute_query("""
        MATCH (u:User {user_id: $user_id})-[:FOLLOWS]->()-[:FOLLOWS]->(other:User)
        WHERE other <> u AND NOT EXISTS { (u)-[:FOLLOWS]->(other) }
        WITH DISTINCT u, other
        MATCH (other)-[:BOUGHT]->(p:Product)
        WHERE NOT EXISTS { (u)-[:BOUGHT]->(p) }
        RETURN p.product_id AS product, count(*) AS people
        ORDER BY people DESC, product LIMIT $limit
        """, user_id=user_id, limit=limit)
    return [(record["product"], record["people"]) for record in records]
    ### END SOLUTION

# %% check="recommend" points=2
import stores
from course import graph

with task("9.2"):
    server = stores.start("neo4j")
    server.reset()
    with graph.connect(server) as driver:
        graph.make(driver, follows="u1>u2 u1>u3 u2>u4 u3>u4 u3>u5 u2>u3",
             bought="u1>p1 u2>p8 u3>p9 u4>p1 u4>p2 u4>p3 u5>p3 u5>p10")
        check("friends of friends recommend what the user lacks", got=outcome(lambda: recommend(driver, "u1", 9)),
              want=[("p3", 2), ("p10", 1), ("p2", 1)],
              cause="u4 is reached through two friends and is one person; u3 is followed by a friend, but is a friend; p1 is bought already")
        check("the limit cuts the end", got=recommend(driver, "u1", 2), want=[("p3", 2), ("p10", 1)])
        check("who follows nobody gets nothing", got=recommend(driver, "u5", 3), want=[])

# %% hidden="recommend" points=1 topic="friends who follow back, and ties"
import stores
from course import graph

with task("9.2"):
    server = stores.start("neo4j")
    server.reset()
    with graph.connect(server) as driver:
        graph.make(driver, follows="u1>u2 u2>u1 u2>u3 u3>u1 u2>u6 u6>u7 u1>u8", bought="u7>p99 u3>p5 u6>p5 " +
             " ".join(f"u3>p{n}" for n in (2, 10, 30, 4)) + " u1>p30 u8>p4")
        check("those who follow back, direct friends and people further away do not count",
              got=recommend(driver, "u1", 9), want=[("p5", 2), ("p10", 1), ("p2", 1), ("p4", 1)],
              cause="exactly two hops along the arrows; a product that only a friend or somebody three hops away bought is not in the list, "
                    "and ties are sorted by product_id as text")
        check("a tie at the limit is cut by product_id", got=outcome(lambda: recommend(driver, "u1", 3)),
              want=[("p5", 2), ("p10", 1), ("p2", 1)], cause="sort by people, then by product_id, and cut after that")

# %% hidden="recommend" points=2 topic="the shop: results, one query, rows; a hostile user id"
import stores
from collections import Counter
from course import graph, shopstream

with task("9.2"):
    server = stores.start("neo4j")
    server.reset()
    shop = shopstream.load()
    bought = sorted({(event.user_id, event.product_id) for event in shop.of_type("purchase")})
    nearby = {pair for pair in shop.follows if pair[0] in {"u17", *(b for a, b in shop.follows if a == "u17")}}
    people = {user for pair in nearby for user in pair}
    friends = {b for a, b in nearby if a == "u17"}
    others = {b for a, b in nearby if a in friends} - friends - {"u17"}
    mine = {product for user, product in bought if user == "u17"}
    people_of = Counter(product for user, product in bought if user in others and product not in mine)
    want = sorted(people_of.items(), key=lambda item: (-item[1], item[0]))
    with graph.connect(server) as driver:
        graph.make(driver, follows=sorted(nearby), bought=[pair for pair in bought if pair[0] in people])
        with server.record() as log:
            got = recommend(driver, "u17", 10)
        check("ten products for u17", got=got, want=want[:10])
        check("one query", got=len(log.queries), want=1)
        check("the database sends no more rows than are returned", got=log.rows, want=between(0, 10),
              cause="ORDER BY and LIMIT belong into the query")
        hostile = "u0'}) RETURN 'p1' AS product, 1 AS people UNION MATCH (u:User {user_id: 'u17"
        check("a user id is only a value", got=outcome(lambda: recommend(driver, hostile, 3)), want=[], cause="$user_id, not an f-string")

# %% [markdown] task="9.3" name="rings" minutes=22
# ### Find the rings
#
# Accounts that trade good reviews follow each other in a circle, and have nothing to do with anybody else. The shop wants to see them all.
#
# Write `rings(driver)`. A **ring** is a circle of 3 to 8 users: each follows exactly one user and is followed by exactly one, both of them in the ring.
# Return a list of rings. A ring is the list of its user ids along the arrows, starting with the smallest id (as text), each id once. The rings are sorted.
#
# ```python
# # u2 follows u3, u3 follows u1, u1 follows u2; u7 and u8 follow each other
# rings(driver)      # → [["u1", "u2", "u3"]]
# ```
#
# * A circle whose members are followed by, or follow, anybody outside it is no ring. Nor is a circle of two, or of nine.
# * What people bought does not matter.
# * Each ring appears once. No rings: `[]`.
# * Most users are in no ring. On the shop's 1,761 follows your queries return at most 50 rows in all.
# * The last visible check uses the whole shop. Paths of up to 8 hops from every user explode there: choose who can be in a ring before you follow anybody.

# %% [markdown] hints="rings"
# - A member follows exactly one user and is followed by exactly one: `COUNT { (u)-[:FOLLOWS]->() } = 1 AND COUNT { (u)<-[:FOLLOWS]-() } = 1`. How many users of the shop are like that?
# - You may do a part in Python. A query can return each candidate with the one they follow, if that one is a candidate too. That is a dictionary: `next_one = {"u1": "u2", …}`.
# - Follow the dictionary from each id until you are back, at something already seen, or at an id that is not in it. Back at the start: a circle.
# - Walk through the ids in sorted order, and remember what you have seen. Then every ring is found once, from its smallest id.

# %% answer="rings"
def rings(driver):
    """The closed circles of 3 to 8 users, each as its ids along the arrows from the smallest; sorted."""
    ### BEGIN SOLUTION
    records, _, _ = driver.execute_query("""
        MATCH (u:User) WHERE COUNT { (u)-[:FOLLOWS]->() } = 1 AND COUNT { (u)<-[:FOLLOWS]-() } = 1
        MATCH (u)-[:FOLLOWS]->(v:User)
        WHERE COUNT { (v)-[:FOLLOWS]->() } = 1 AND COUNT { (v)<-[:FOLLOWS]-() } = 1
        RETURN u.user_id AS user, v.user_id AS next
        """)
    follows = {record["user"]: record["next"] for record in records}
    found, seen = [], set()
    for start in sorted(follows):
        walk, user = [], start
        while user in follows and user not in seen:
            seen.add(user)
            walk.append(user)
            user = follows[user]
        if user == start and 3 <= len(walk) <= 8:
            found.append(walk)
    return found
    ### END SOLUTION

# %% check="rings" points=2
import stores
from course import graph

with task("9.3"):
    server = stores.start("neo4j")
    with graph.connect(server) as driver:
        server.reset()
        graph.make(driver, follows="u2>u3 u3>u1 u1>u2 u7>u8 u8>u7", bought="u2>p1 u3>p1")
        check("a ring of three is found once, from its smallest id", got=rings(driver), want=[["u1", "u2", "u3"]],
              cause="every member is a start, so a circle is found once for each; two who follow each other are no ring")
        server.reset()
        graph.make(driver, follows="u2>u3 u3>u1 u1>u2 u9>u2")
        check("a circle with a follower outside is no ring", got=rings(driver), want=[],
              cause="each member is followed by exactly one user: count all who follow them")
        server.reset()
        graph.make(driver, follows="u2>u3 u3>u1 u1>u2 u1>u9")
        check("nor is a circle that follows somebody outside", got=rings(driver), want=[],
              cause="each member follows exactly one user: count all whom they follow")

# %% check="rings" points=1
import stores
from course import graph, shopstream

with task("9.3"):
    server = stores.start("neo4j")
    server.reset()
    shop = shopstream.load()
    with graph.connect(server) as driver:
        graph.make(driver, follows=shop.follows)
        with server.record() as log:
            got = rings(driver)
        check("the shop has one ring", got=got, want=[sorted(shop.traps["ring"].where)])
        check("at most 50 of the shop's rows reach your program", got=log.rows, want=between(1, 50),
              cause="return only those who can be in a ring, not everybody")

# %% hidden="rings" points=2 topic="several rings, sizes from 2 to 9, ids in text order, a circle with a tail"
import stores
from course import graph

with task("9.3"):
    server = stores.start("neo4j")
    with graph.connect(server) as driver:
        def circle(ids):
            return [(a, b) for a, b in zip(ids, [*ids[1:], ids[0]], strict=True)]

        server.reset()
        graph.make(driver, follows=[*circle(["b4", "b1", "b9", "b3"]), *circle(["a2", "a10", "a3"]), ("c1", "c2"), ("c2", "c3")])
        check("two rings, sorted, each from its smallest id", got=outcome(lambda: rings(driver)),
              want=[["a10", "a3", "a2"], ["b1", "b9", "b3", "b4"]], cause="ids are text, so a10 is smaller than a2; the order goes along the arrows")
        server.reset()
        graph.make(driver, follows=[pair for size in range(2, 10) for pair in circle([f"s{size}-{n}" for n in range(size)])])
        check("rings of 3 to 8 count, 2 and 9 do not", got=[len(ring) for ring in rings(driver)], want=[3, 4, 5, 6, 7, 8])
        server.reset()
        graph.make(driver, follows=[*circle(["u1", "u2", "u3", "u4"]), ("u2", "u4"), *circle(["v1", "v2", "v3"]), ("v0", "v1")])
        check("a shortcut or a tail breaks the ring", got=rings(driver), want=[])
        server.reset()
        check("no users, no rings", got=rings(driver), want=[])

# %% [markdown] task="9.4" name="paths" minutes=20
# ### How far, and which way
#
# The shop shows a user how they are connected with somebody, and whom they could reach. Both follow the arrows of `FOLLOWS`, and both have a bound.
#
# Write two functions. `most` is the number of hops at most.
#
# | | |
# |---|---|
# | `route(driver, start, end, most)` | the user ids on one shortest way from `start` to `end`, both included; `None` if there is no way of at most `most` hops |
# | `reachable(driver, start, most)` | a dictionary from user id to the fewest hops, for everybody who can be reached in 1 to `most` hops, without `start` |
#
# ```python
# # u1 follows u2, u2 follows u3, u3 follows u1
# route(driver, "u1", "u3", most=4)      # → ["u1", "u2", "u3"]
# route(driver, "u1", "u3", most=1)      # → None
# reachable(driver, "u1", most=4)        # → {"u2": 1, "u3": 2}
# ```
#
# * The way from a user to themselves is `["u1"]`. A user who is not there has no way to anybody, not even to themselves: `None`, and reaches nobody: `{}`.
# * Of several shortest ways, any will do.
# * `most` is an `int` from 1 to 8, and no `bool`. Anything else raises `ValueError`, also `2.0` and `True`, and no query is sent.
# * `route` takes at most 2 queries. `reachable` takes one, which returns one row for each person. The checks use at most 4 hops on the shop's graph.

# %% [markdown] hints="paths"
# - Check `most` first: `type(most) is int and 1 <= most <= 8`. (`isinstance(True, int)` is true.) It cannot be a parameter, so it becomes part of the text, and only a checked number may.
# - `shortestPath((a:User {user_id: $start})-[:FOLLOWS*..4]->(b:User {user_id: $end}))` in an f-string needs its braces doubled: `{{user_id: $start}}`.
# - If `start == end`, do not ask for a shortest path. Ask whether the user exists.
# - For `reachable`, a path is bound to a name, `MATCH path = (a)-[:FOLLOWS*1..4]->(b)`, and aggregated: `RETURN b.user_id AS user, min(length(path)) AS hops`.

# %% answer="paths"
def route(driver, start, end, most):
    """User ids on a shortest way along the arrows, or None. Raises ValueError unless 1 <= most <= 8."""
    ### BEGIN SOLUTION
    bound = _checked(most)
    if start == end:
        query = "MATCH (a:User {user_id: $start}) RETURN [a.user_id] AS way LIMIT 1"
    else:
        query = f"""
            MATCH path = shortestPath((a:User {{user_id: $start}})-[:FOLLOWS*..{bound}]->(b:User {{user_id: $end}}))
            RETURN [node IN nodes(path) | node.user_id] AS way LIMIT 1
        """
    records, _, _ = driver.execute_query(query, start=start, end=end)
    return records[0]["way"] if records else None
    ### END SOLUTION


def reachable(driver, start, most):
    """User id → fewest hops, of everybody within `most` hops. Raises ValueError unless 1 <= most <= 8."""
    ### BEGIN SOLUTION
    records, _, _ = driver.execute_query(f"""
        MATCH path = (a:User {{user_id: $start}})-[:FOLLOWS*1..{_checked(most)}]->(b:User)
        WHERE b <> a
        RETURN b.user_id AS user, min(length(path)) AS hops
        """, start=start)
    return {record["user"]: record["hops"] for record in records}


def _checked(most):
    if type(most) is not int or not 1 <= most <= 8:
        raise ValueError(f"most is {most!r}; it must be a whole number from 1 to 8")
    return most
    ### END SOLUTION

# %% check="paths" points=2 differs="Cypher promises no order of rows without ORDER BY, so the dictionary is filled in another order"
import stores
from course import graph

with task("9.4"):
    server = stores.start("neo4j")
    server.reset()
    with graph.connect(server) as driver:
        graph.make(driver, follows="u1>u2 u2>u3 u3>u4 u4>u5 u5>u1 u1>u4")
        check("the shortest way follows the arrows", got=route(driver, "u1", "u5", 4), want=["u1", "u4", "u5"],
              cause="u5 follows u1, not the other way round")
        check("the bound counts hops", got=outcome(lambda: [route(driver, "u2", "u1", 3), route(driver, "u2", "u1", 4)]),
              want=[None, ["u2", "u3", "u4", "u5", "u1"]])
        check("the way to oneself has no hop", got=route(driver, "u3", "u3", 2), want=["u3"])
        check("the fewest hops to everybody", got=reachable(driver, "u1", 3), want={"u2": 1, "u4": 1, "u3": 2, "u5": 2},
              cause="several paths lead to one person: keep the shortest; the start is not in the dictionary")
        check("the bound holds here too", got=outcome(lambda: reachable(driver, "u1", 1)), want={"u2": 1, "u4": 1})

# %% hidden="paths" points=1 topic="users who are not there, nobody to reach, ids that try to be Cypher"
import stores
from course import graph

with task("9.4"):
    server = stores.start("neo4j")
    server.reset()
    hostile = "u1'}) DETACH DELETE a //"
    with graph.connect(server) as driver:
        graph.make(driver, follows=[("u1", "u2"), ("u2", hostile), ("u8", "u9")])
        check("no way to a user who is not there", got=[route(driver, "u1", "u99", 5), route(driver, "u99", "u1", 5)], want=[None, None])
        check("nor from such a user to themselves", got=route(driver, "u99", "u99", 5), want=None)
        check("no way to another part of the graph", got=route(driver, "u1", "u9", 8), want=None)
        check("nobody to reach", got=[reachable(driver, "u9", 3), reachable(driver, "u99", 3)], want=[{}, {}])
        check("an id is only a value", got=outcome(lambda: route(driver, "u1", hostile, 5)), want=["u1", "u2", hostile])
        check("also as a start", got=outcome(lambda: reachable(driver, hostile, 5)), want={})
        check("everybody is still there", got=graph.ask(driver, "MATCH (u:User) RETURN count(u)"), want=[(5,)])

# %% hidden="paths" points=1 topic="a bound that is no whole number from 1 to 8"
import stores
from course import graph

with task("9.4"):
    server = stores.start("neo4j")
    server.reset()
    with graph.connect(server) as driver:
        graph.make(driver, follows=[(f"u{n}", f"u{n + 1}") for n in range(1, 10)])
        check("eight hops are allowed", got=outcome(lambda: (route(driver, "u1", "u9", 8), len(reachable(driver, "u1", 8)))),
              want=([f"u{n}" for n in range(1, 10)], 8))
        with server.record() as log:
            for most in (0, 9, -1, 2.5, 2.0, True, None, "3", "1]->() MATCH (n) DETACH DELETE n //"):
                for name, call in (("route", lambda most=most: route(driver, "u1", "u3", most)),
                                   ("the route to oneself", lambda most=most: route(driver, "u1", "u1", most)),
                                   ("reachable", lambda most=most: reachable(driver, "u1", most))):
                    if type(outcome(call)) is not ValueError:
                        check(f"{name} with most={most!r} raises ValueError", got=outcome(call), want=raises(ValueError),
                              cause="a bound becomes part of the query's text, so only a checked number may")
        check("no query was sent", got=len(log.queries), want=0)

# %% hidden="paths" points=1 topic="the shop: distances, queries and rows" differs="Cypher promises no order of rows without ORDER BY, so the dictionary is filled in another order"
import stores
from course import graph, shopstream

with task("9.4"):
    server = stores.start("neo4j")
    server.reset()
    shop = shopstream.load()
    follows = {}
    for a, b in shop.follows:
        follows.setdefault(a, []).append(b)
    want, frontier = {}, {"u17"}
    for hops in (1, 2, 3):
        frontier = {b for a in frontier for b in follows.get(a, [])} - want.keys() - {"u17"}
        want |= dict.fromkeys(frontier, hops)
    with graph.connect(server) as driver:
        graph.make(driver, follows=shop.follows)
        with server.record() as log:
            got = reachable(driver, "u17", 3)
        check("everybody within three hops of u17", got=got, want=want, cause="min(length(path)), grouped by person")
        check("one query", got=len(log.queries), want=1)
        check("one row for each person", got=log.rows, want=len(want), cause="aggregate in the query: a row for each path is far more")
        with server.record() as log:
            got = route(driver, "u17", "u7", 4)
        check("the way to u7", got=got, want=["u17", "u162", "u150", "u7"])
        check("in at most 2 queries", got=len(log.queries), want=between(1, 2))

# %% [markdown] task="9.5" name="order" minutes=22
# ### An order that is placed once
#
# A customer presses "buy", the reply is lost, and the browser asks again. The shop must place one order and take the stock down once, whatever goes wrong on the way.
#
# Write two functions.
#
# `prepare(driver)` makes the database refuse two nodes `Order` with the same `order_id`. Calling it twice is no error.
#
# `place(driver, order_id, user_id, product_id, quantity)` adds `(user)-[:PLACED]->(:Order {order_id, quantity})-[:OF]->(product)`, lowers the product's `stock` by `quantity`, and returns the stock that is left. All of that happens in **one transaction**.
#
# ```python
# prepare(driver)                                  # p7 has a stock of 5
# place(driver, "o-1", "u17", "p7", quantity=2)    # → 3
# place(driver, "o-1", "u17", "p7", quantity=2)    # → 3, for this order is placed already
# ```
#
# * An `order_id` always comes with the same user, product and quantity, and `quantity` is at least 1. Placing it again changes nothing, and returns the product's stock as it is now, also if that would be too little for another order.
# * Too little stock raises `ValueError`. A user or a product that is not there raises `KeyError`. In both cases nothing changes, and nothing is tried again.
# * Nobody deletes users or products, and calls come one after another: two at the same moment are not checked.
# * After a **transient error** the transaction is tried again.
# * When the reply to the commit is lost, `place` asks again: three attempts in all. After the third, `IncompleteCommit` reaches the caller.

# %% [markdown] hints="order"
# - `CREATE CONSTRAINT … IF NOT EXISTS FOR (o:Order) REQUIRE o.order_id IS UNIQUE` is all that `prepare` needs.
# - Write a function `work(tx)` and call `session.execute_write(work)`. It starts the transaction, tries again after transient errors, and rolls back if `work` raises.
# - Inside `work`, look first: `MATCH (u:User …), (p:Product …) RETURN p.stock, EXISTS { (:Order {order_id: $order_id}) }`. No row: `KeyError`. Placed already: return the stock. Otherwise create the order, lower the stock and return it, in one query. Less than 0: raise `ValueError`, and the rollback undoes it all.
# - `neo4j.exceptions.IncompleteCommit` is not tried again by the driver. Put the call into `for attempt in range(3)` with `try` and `except neo4j.exceptions.IncompleteCommit`, and `raise` in the last attempt.

# %% answer="order"
def prepare(driver):
    """Let the database keep order ids unique. Safe to call twice."""
    ### BEGIN SOLUTION
    driver.execute_query("CREATE CONSTRAINT order_id IF NOT EXISTS FOR (o:Order) REQUIRE o.order_id IS UNIQUE")
    ### END SOLUTION


def place(driver, order_id, user_id, product_id, quantity):
    """Place an order once, and return the stock that is left.

    Raises ValueError for too little stock, KeyError for a user or product that is not there, IncompleteCommit
    when three replies were lost.
    """
    ### BEGIN SOLUTION
    order = {"order_id": order_id, "user_id": user_id, "product_id": product_id, "quantity": quantity}
    for attempts_left in (2, 1, 0):
        try:
            with driver.session() as session:
                return session.execute_write(_place_once, order)
        except neo4j.exceptions.IncompleteCommit:
            if not attempts_left:
                raise


def _place_once(tx, order):
    row = tx.run("""
        MATCH (u:User {user_id: $user_id}), (p:Product {product_id: $product_id})
        RETURN p.stock AS stock, EXISTS { MATCH (o:Order) WHERE o.order_id = $order_id } AS placed
        """, order).single()
    if row is None:
        raise KeyError(f"there is no user {order['user_id']!r} or no product {order['product_id']!r}")
    if row["placed"]:
        return row["stock"]
    # Take first and look afterwards: a read takes no lock, so two buyers could both see the last piece.
    left = tx.run("""
        MATCH (u:User {user_id: $user_id}), (p:Product {product_id: $product_id})
        CREATE (u)-[:PLACED]->(:Order {order_id: $order_id, quantity: $quantity})-[:OF]->(p)
        SET p.stock = p.stock - $quantity
        RETURN p.stock AS stock
        """, order).single()["stock"]
    if left < 0:
        raise ValueError(f"only {left + order['quantity']} of {order['product_id']} are left")   # rolls everything back
    return left
    ### END SOLUTION

# %% check="order" points=2
import stores
from course import graph

with task("9.5"):
    server = stores.start("neo4j")
    server.reset()
    with graph.connect(server) as driver:
        prepare(driver)
        check("prepare can be called twice", got=outcome(lambda: prepare(driver)), want=None)
        graph.ask(driver, "CREATE (:User {user_id: 'u17'}), (:Product {product_id: 'p7', stock: 5})")
        check("an order lowers the stock", got=place(driver, "o-1", "u17", "p7", 2), want=3)
        check("the order hangs between user and product",
              got=graph.ask(driver, "MATCH (u:User)-[:PLACED]->(o:Order)-[:OF]->(p:Product) RETURN u.user_id, o.order_id, o.quantity, p.product_id, p.stock"),
              want=[("u17", "o-1", 2, "p7", 3)])
        check("placed again, nothing changes", got=place(driver, "o-1", "u17", "p7", 2), want=3,
              cause="the order is there already: look for its id first")
        check("too little stock raises ValueError", got=outcome(lambda: place(driver, "o-2", "u17", "p7", 4)), want=raises(ValueError))
        check("the last pieces can be bought", got=outcome(lambda: place(driver, "o-3", "u17", "p7", 3)), want=0)
        check("an order that was placed stays placed when the stock is gone", got=outcome(lambda: place(driver, "o-1", "u17", "p7", 2)), want=0,
              cause="ask whether the order is there before you look at the stock")
        check("two orders are there", got=graph.ask(driver, "MATCH (o:Order) RETURN o.order_id ORDER BY o.order_id"), want=[("o-1",), ("o-3",)])

# %% hidden="order" points=1 topic="who is not there, and what an error leaves behind"
import stores
from course import graph

with task("9.5"):
    server = stores.start("neo4j")
    server.reset()
    everything = "MATCH (n) OPTIONAL MATCH (n)-[r]->() RETURN count(DISTINCT n), count(r), sum(n.stock)"
    with graph.connect(server) as driver:
        prepare(driver)
        graph.ask(driver, "CREATE (:User {user_id: 'u17'}), (:Product {product_id: 'p7', stock: 5})")
        check("a user who is not there raises KeyError", got=outcome(lambda: place(driver, "o-1", "u9", "p7", 1)), want=raises(KeyError))
        check("a product that is not there raises KeyError", got=outcome(lambda: place(driver, "o-1", "u17", "p'9", 1)), want=raises(KeyError))
        with server.record() as log:
            check("too little stock raises ValueError, also for a first order", got=outcome(lambda: place(driver, "o-1", "u17", "p7", 6)), want=raises(ValueError))
        check("and is not tried again", got=log.count("BEGIN"), want=between(0, 1), cause="catch IncompleteCommit only: other errors mean that asking again is no use")
        check("nothing has changed", got=graph.ask(driver, everything), want=[(2, 0, 5)], cause="raise inside the transaction, and it is rolled back")
        check("the order can be placed afterwards", got=place(driver, "o-1", "u17", "p7", 5), want=0)

# %% hidden="order" points=1 topic="the constraint, and one transaction for all" differs="Neo4j names the label and the property, the embedded engine the index"
import neo4j
import stores
from course import graph

with task("9.5"):
    server = stores.start("neo4j")
    server.reset()
    with graph.connect(server) as driver:
        prepare(driver)
        graph.ask(driver, "CREATE (:Order {order_id: 'o-1'})")
        check("the database refuses a second order of that id", got=outcome(lambda: graph.ask(driver, "CREATE (:Order {order_id: 'o-1'})")),
              want=raises(neo4j.exceptions.ConstraintError), cause="prepare creates a constraint: REQUIRE o.order_id IS UNIQUE")
        graph.ask(driver, "CREATE (:User {user_id: 'u17'}), (:Product {product_id: 'p7', stock: 5})")
        with server.record() as log:
            place(driver, "o-2", "u17", "p7", 1)
        check("one transaction", got=(log.count("BEGIN"), log.count("COMMIT")), want=(1, 1),
              cause="what is read in one transaction may have changed in the next; session.run outside a transaction commits at once")

# %% hidden="order" points=2 topic="transient errors, and replies that are lost"
import neo4j
import stores
from course import graph

with task("9.5"):
    server = stores.start("neo4j")
    server.reset()
    state = "MATCH (p:Product) RETURN p.stock, COUNT { (:Order) }"
    with graph.connect(server) as driver:
        prepare(driver)
        graph.ask(driver, "CREATE (:User {user_id: 'u17'}), (:Product {product_id: 'p7', stock: 10})")
        with server.faults.transient("COMMIT", times=2):
            got = outcome(lambda: place(driver, "o-1", "u17", "p7", 1))
        check("two transient errors are survived", got=got, want=9, cause="execute_write tries again, session.begin_transaction does not")
        check("and the stock is lowered once", got=graph.ask(driver, state), want=[(9, 1)])
        with server.faults.drop_reply("COMMIT", times=1):
            got = outcome(lambda: place(driver, "o-2", "u17", "p7", 1))
        check("a lost reply is asked for again", got=got, want=8, cause="IncompleteCommit leaves it to you, and your order id makes it safe")
        check("and the order is placed once", got=graph.ask(driver, state), want=[(8, 2)])
        with server.faults.drop_reply("COMMIT", times=9), server.record() as log:
            got = outcome(lambda: place(driver, "o-3", "u17", "p7", 1))
        check("after three lost replies the error reaches the caller", got=got, want=raises(neo4j.exceptions.IncompleteCommit))
        check("three attempts in all", got=log.count("COMMIT"), want=3)
        check("which placed one order", got=graph.ask(driver, state), want=[(7, 3)])
