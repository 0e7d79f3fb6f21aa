# ---
# title: "Graphs: modelling and Cypher"
# minutes: 120
# summary: Who follows whom and who bought what, as a graph in Neo4j, with questions that go hop by hop.
# ---

# %% [markdown]
# # Graphs: modelling and Cypher
#
# This chapter presents the graph database, with the shop's users and products as its graph.
# Some questions are about how things hang together, and a graph lets you ask them in the words you think in.
#
# When you have finished, you can
#
# * model people, products and what connects them as nodes, relationships and properties,
# * load data so that loading it twice changes nothing,
# * keep a hostile name from becoming part of your query,
# * write Cypher that groups, follows paths, finds the shortest one, and does not drown in rows,
# * count what a join costs, and say what a hop costs,
# * write a transaction that survives a fault and a lost reply.
#
# You need Python functions and dictionaries, and you should have seen a `SELECT` with a `JOIN`.

# %% [markdown]
# ## Nodes, relationships, properties
#
# **Neo4j** is a graph database. Start the course's server, and read which kind you have. `reset()` makes a clean slate, so that you can run this chapter again. If an answer differs after you ran a cell twice, go back to the last `server.reset()`.

# %%
import stores

server = stores.start("neo4j")
server.reset()
server

# %% [markdown]
# The `neo4j` package is its **driver**, the library that programs use to talk to it. It speaks a protocol called **Bolt**.

# %%
import neo4j

driver = neo4j.GraphDatabase.driver(server.uri, auth=server.auth)
driver.verify_connectivity()

# %% [markdown]
# A graph database stores things and what connects them. A thing is a **node**. Its **label** says what kind of thing it is, and its **properties** say what is known about it.
# Here is one node, made with Neo4j's query language, **Cypher**.

# %%
records, summary, keys = driver.execute_query(
    "CREATE (u:User {user_id: 'u17', name: 'Milan Chen'}) RETURN u")
records[0]["u"]

# %% [markdown]
# Round brackets draw a node as you would on paper, `u` is a variable, `User` the label.
# You will ask a lot of questions, so here is a helper that returns the answer as dictionaries.

# %%
def ask(cypher, **parameters):
    records, summary, keys = driver.execute_query(cypher, parameters)
    return [record.data() for record in records]

ask("MATCH (u:User) RETURN u.name")

# %% [markdown]
# `MATCH` finds every place in the graph that looks like the pattern. Each place is one **row** of the answer.
#
# What connects two nodes is a **relationship**. It has one direction, one **type**, and properties of its own.

# %%
ask("""
    MATCH (u:User {user_id: 'u17'})
    CREATE (u)-[:FOLLOWS {since: 2024}]->(:User {user_id: 'u155', name: 'Lucia Tanaka'})
""")

# %% [markdown]
# The query returns no rows, for it has no `RETURN`. Add a product that Lucia bought. To look at it, define `picture`, which asks the driver for a graph instead of rows, and draws it.

# %%
ask("""
    MATCH (u:User {user_id: 'u155'})
    CREATE (u)-[:BOUGHT {quantity: 2}]->(:Product {product_id: 'p90', name: 'Cotton Card'})
""")

# %%
from course import plots

def picture(cypher, mark=(), **parameters):
    found = driver.execute_query(cypher, parameters, result_transformer_=neo4j.Result.graph)
    return plots.graph(found, mark=mark)

picture("MATCH (a)-[r]->(b) RETURN a, r, b")

# %% [markdown]
# If your notebook runs scripts, drag a node, or point at one to read its properties. Otherwise the picture stands still and says the same.
#
# How do you tell what to make a node, a relationship or a property? Say a fact aloud. "Lucia, a person, is employed by Shopstream, a business, since 2023." The nouns are nodes, the verb is a relationship.
# "Since 2023" belongs to neither of the two, so it is a property of the relationship.

# %% [markdown]
# A question is the same drawing with a gap in it. What have the people bought whom Milan follows?

# %%
ask("""
    MATCH (:User {user_id: 'u17'})-[:FOLLOWS]->(friend)-[:BOUGHT]->(product)
    RETURN friend.name, product.name
""")

# %% [markdown]
# In SQL this takes four tables and three joins. Direction counts: what does the next cell return?

# %%
ask("MATCH (:User {user_id: 'u17'})<-[:FOLLOWS]-(follower) RETURN follower.name")

# %% [markdown]
# Nothing: the arrow points the other way, and nobody follows Milan yet. A pattern without an arrowhead, `-[:FOLLOWS]-`, matches both ways.
#
# A property that no node has is not an error either. You get `None`.

# %% differs="Neo4j also warns of a name that no node has"
ask("MATCH (u:User) RETURN u.user_id, u.nmae")

# %% [markdown]
# Cypher calls it **null**, and a slip of the pen looks like missing data. A real Neo4j adds a warning. A query that is no Cypher is refused, and the message marks the place.

# %% tags=["raises-exception"] differs="Neo4j names everything that could have stood there"
ask("MATCH (u:User) RETRUN u.name")

# %% [markdown]
# ## Add without doubling
#
# The shop receives the same facts again and again. What does the graph hold after you add Milan a second time?

# %%
ask("CREATE (:User {user_id: 'u17', name: 'Milan Chen'})")
ask("MATCH (u:User) RETURN u.user_id, count(*) AS times ORDER BY u.user_id")

# %% [markdown]
# Two nodes that mean one person. `CREATE` creates, whatever is there. Delete the new one: it is the one without relationships. (`--` is any relationship, either way.)

# %%
ask("MATCH (u:User {user_id: 'u17'}) WHERE NOT (u)--() DELETE u")
ask("MATCH (u:User {user_id: 'u17'}) RETURN count(*) AS times")

# %% [markdown]
# `MERGE` looks first: it matches the pattern, and creates it only if there is no match.
# Each query has a **summary** with **counters**, which tell what it changed.

# %%
def changes(cypher, **parameters):
    counters = driver.execute_query(cypher, parameters).summary.counters
    return counters.nodes_created, counters.relationships_created, counters.properties_set

changes("MERGE (:User {user_id: 'u23'})"), changes("MERGE (:User {user_id: 'u23'})")

# %% [markdown]
# One node with one property the first time, nothing the second. Doing it twice is doing it once: `MERGE` is **idempotent** here.

# %% [markdown]
# ### Merging too much
#
# Milan follows u23 now. Both are in the graph, so this should add one relationship and no node. How many nodes does it create?

# %%
changes("MERGE (:User {user_id: 'u17'})-[:FOLLOWS]->(:User {user_id: 'u23'})")

# %% differs="the same picture; its data lists the nodes by element id, and Neo4j numbers them in another order"
picture("MATCH (u:User) OPTIONAL MATCH (u)-[r]->(other) RETURN u, r, other")

# %% [markdown]
# Two. `MERGE` looks for the whole pattern. Milan is there and u23 is there (the dot that stands alone), but not with that relationship between them. So it creates everything, a second Milan and a second u23.
#
# The repair merges each part by itself, nodes before the relationship. Here is a clean slate to try it on.

# %%
server.reset()
follow = """
    MERGE (a:User {user_id: 'u17'})
    MERGE (b:User {user_id: 'u23'})
    MERGE (a)-[:FOLLOWS]->(b)
"""
changes(follow), changes(follow)

# %% [markdown]
# Properties are part of the pattern too. Somebody wants to add Milan's city and writes it where `user_id` stands. What happens?

# %%
changes("MERGE (:User {user_id: 'u17', city: 'Porto'})")

# %% [markdown]
# No node had both properties, so there are two Milans again. Merge on what identifies the node, and `SET` the rest.

# %%
ask("MATCH (u:User {city: 'Porto'}) WHERE NOT (u)--() DELETE u")
changes("""
    MERGE (u:User {user_id: 'u17'})
      ON CREATE SET u.visits = 1
      ON MATCH SET u.visits = coalesce(u.visits, 0) + 1
    SET u.city = 'Porto'
""")

# %% [markdown]
# `ON CREATE SET` is for a node that is new, `ON MATCH SET` for one that was there, and the last `SET` for both. `coalesce` returns its first argument that is not null. To delete a node together with its relationships, write `DETACH DELETE`.

# %% [markdown]
# ### Two at the same moment
#
# `MERGE` reads, then writes. You know from chapter 01 what can happen in between. Two web servers greet one guest. Each has a **session**, a conversation with the server, and in it a **transaction** of its own, which nobody else sees before its `commit`. (`consume` waits until a query is done.) How many guests are there at the end?

# %%
with driver.session() as one, driver.session() as other:
    first, second = one.begin_transaction(), other.begin_transaction()
    first.run("MERGE (:Guest {email: 'noor@shopstream.example'})").consume()
    second.run("MERGE (:Guest {email: 'noor@shopstream.example'})").consume()
    first.commit()
    second.commit()

ask("MATCH (g:Guest) RETURN g.email, count(*) AS guests")

# %% [markdown]
# Two. Neither transaction saw what the other had not committed. A rule that must hold belongs in the database: a **constraint**.

# %% tags=["raises-exception"] differs="Neo4j names the two nodes that break the constraint"
guests = "CREATE CONSTRAINT guest_email FOR (g:Guest) REQUIRE g.email IS UNIQUE"
ask(guests)

# %% [markdown]
# Refused, because the rule is broken already. So you put constraints first, before any data. Then the database refuses the duplicate instead.

# %%
server.reset()
ask(guests)
ask("CREATE (:Guest {email: 'noor@shopstream.example'})")

# %% tags=["raises-exception"] differs="Neo4j names the label and the property, the embedded engine the index"
ask("CREATE (:Guest {email: 'noor@shopstream.example'})")

# %% [markdown]
# The driver raises `ConstraintError`. Programs do not read messages, which change with every version. They look at the **status code**.

# %%
try:
    ask("CREATE (:Guest {email: 'noor@shopstream.example'})")
except neo4j.exceptions.ConstraintError as error:
    print(error.code)

# %% [markdown]
# A unique constraint also builds an **index**: the database finds the node by its email without looking at every guest.
# And it turns the trap above into an error that you notice.

# %% tags=["raises-exception"] differs="Neo4j names the label and the property, the embedded engine the index"
changes("MERGE (:Guest {email: 'noor@shopstream.example'})-[:LIKES]->(:Topic {name: 'tea'})")

# %% [markdown]
# If two transactions race now, Neo4j makes the second wait for the first, and then it matches. The embedded engine refuses the second when it commits. Either way, one guest.

# %% [markdown]
# ## A name is not a query
#
# The shop has a search field. A visitor types a name, and the program builds a query from it. Here are three users with something to protect.

# %%
server.reset()
ask("""
    UNWIND ['Milan Chen', 'Lucia Tanaka', 'Olga Almeida'] AS name
    CREATE (:User {name: name, email: toLower(replace(name, ' ', '.')) + '@shopstream.example'})
""")

# %%
def search(name):
    return ask(f"MATCH (u:User) WHERE u.name = '{name}' RETURN u.name")

search("Milan Chen")

# %% [markdown]
# `UNWIND` turns a list into rows, one for each item. The search works. Then a Mr O'Brien looks for himself.

# %% tags=["raises-exception"] differs="Neo4j names everything that could have stood there"
search("Sean O'Brien")

# %% [markdown]
# His apostrophe ended the text, and the rest of his name was read as Cypher. The next visitor has noticed that too. What does this search find?

# %%
search("x' OR true RETURN u.email ORDER BY u.email //")

# %% [markdown]
# Every address in the shop. The name brought its own `RETURN`, and `//` turned what followed into a comment. This is **Cypher injection**. It can write as well as read.

# %%
search("x' OR true DETACH DELETE u RETURN 'gone' //")
ask("MATCH (u:User) RETURN count(*) AS users")

# %% [markdown]
# Escaping quotes yourself is a race that you lose. Send the value beside the query instead: a **parameter**, written `$name`.

# %%
def search(name):
    return ask("MATCH (u:User) WHERE u.name = $name RETURN u.name", name=name)

ask("CREATE (:User {name: $name})", name="Sean O'Brien")
search("Sean O'Brien"), search("x' OR true RETURN u.email ORDER BY u.email //")

# %% [markdown]
# A parameter is never read as Cypher, whatever it holds. It also lets the database keep the plan of a query and use it for the next name.
#
# Parameters stand for values. They cannot stand for a label, a type or the name of a property. If one of those comes from outside, look it up in a list of your own.

# %%
SORTABLE = {"name": "u.name", "city": "u.city"}

def users_by(column):
    return ask(f"MATCH (u:User) RETURN u.name ORDER BY {SORTABLE[column]}")

users_by("name")

# %% [markdown]
# What is not in the list never reaches the query.

# %% tags=["raises-exception"]
users_by("name DETACH DELETE u //")

# %% [markdown]
# ## Load the shop
#
# Now the real data, constraints first. `reset()` empties the database, so what you made up about Milan and Lucia is gone. `IF NOT EXISTS` asks for a constraint that may be there already.

# %%
from course import shopstream

shop = shopstream.load()
server.reset()
for label, key in (("User", "user_id"), ("Product", "product_id")):
    ask(f"CREATE CONSTRAINT {key} IF NOT EXISTS FOR (n:{label}) REQUIRE n.{key} IS UNIQUE")

# %% [markdown]
# The first try sends one query for each user. The server keeps a **record**. How often did the program wait for an answer?

# %%
with server.record() as log:
    for user in shop.users[:50]:
        ask("MERGE (u:User {user_id: $id}) SET u.name = $name", id=user.user_id, name=user.name)

log

# %% [markdown]
# Two round trips for each user, one for the query and one for the commit. One query can do the work for all, with a list as its parameter.

# %%
people = [{"user_id": u.user_id, "name": u.name, "city": u.city} for u in shop.users]

with server.record() as log:
    print(changes("UNWIND $rows AS row MERGE (u:User {user_id: row.user_id}) SET u += row", rows=people))

log

# %% [markdown]
# `SET u += row` takes over all properties of a map. Fifty users were there before, so 350 nodes are new.
# 1,550 properties are three for each of the 400 users, and the key of each new node once more, because `MERGE` sets it too.
# Products are loaded the same way.

# %%
products = [{"product_id": p.product_id, "name": p.name, "category": p.category} for p in shop.products]
changes("UNWIND $rows AS row MERGE (p:Product {product_id: row.product_id}) SET p += row", rows=products)

# %% [markdown]
# A follow names two users. Both are there, so the query matches them and merges the relationship alone.

# %%
follows = """
    UNWIND $pairs AS pair
    MATCH (a:User {user_id: pair[0]}), (b:User {user_id: pair[1]})
    MERGE (a)-[:FOLLOWS]->(b)
"""
changes(follows, pairs=shop.follows), changes(follows, pairs=shop.follows)

# %% [markdown]
# 1,761 relationships the first time, none the second. What if a pair names a user who does not exist?

# %%
changes(follows, pairs=[("u17", "u999")])

# %% [markdown]
# Nothing, and no error: `MATCH` found no row, so there was nothing to merge. A loader compares counts.
#
# For purchases, you add up each user's quantity of each product, so that one relationship stands for all of them.

# %%
from collections import Counter

bought = Counter()
for event in shop.of_type("purchase"):
    bought[event.user_id, event.product_id] += event.quantity

rows = [(user, product, quantity) for (user, product), quantity in bought.items()]
len(rows)

# %%
changes("""
    UNWIND $rows AS row
    MATCH (u:User {user_id: row[0]}), (p:Product {product_id: row[1]})
    MERGE (u)-[b:BOUGHT]->(p) SET b.quantity = row[2]
""", rows=rows)

# %% [markdown]
# Last, which products are bought by the same people. The shop counts that for each pair. Pairs with fewer than five buyers say little, so you leave them out.

# %%
together = [pair for pair in shop.co_purchases if pair[2] >= 5]
changes("""
    UNWIND $rows AS row
    MATCH (p:Product {product_id: row[0]}), (q:Product {product_id: row[1]})
    MERGE (p)-[w:BOUGHT_WITH]->(q) SET w.buyers = row[2]
""", rows=together)

# %% [markdown]
# That relationship has a direction, as each must, although "bought with" means the same both ways. Store it once, and match it without an arrowhead.

# %%
picture("MATCH (p:Product)-[w:BOUGHT_WITH]-(q:Product) WHERE w.buyers >= 10 RETURN p, w, q")

# %% [markdown]
# Three products are bought with most of the others: Cotton Card with 15 of the 16, Quilted Curtain with 12, Copper Kettle with 9. What goes with nearly everything says little about anybody's taste. Keep it in mind for recommendations.

# %% [markdown]
# ## Ask
#
# Here is Milan among the people he follows, and what they bought more than one of, so that it fits into a picture.

# %%
picture("""
    MATCH (u:User {user_id: 'u17'})-[f:FOLLOWS]->(friend)
    OPTIONAL MATCH (friend)-[b:BOUGHT]->(p) WHERE b.quantity > 1
    RETURN u, f, friend, b, p
""")

# %% [markdown]
# ### Keep the rows that have nothing
#
# How many products has each of them bought? One line does it: everything in `RETURN` that is not an **aggregate** such as `count` becomes the group.

# %%
ask("""
    MATCH (:User {user_id: 'u17'})-[:FOLLOWS]->(friend)-[:BOUGHT]->(p)
    RETURN friend.name, count(p) AS products ORDER BY products DESC, friend.name
""")

# %% [markdown]
# Milan follows seven people, and this list is shorter. Who has bought nothing does not match the pattern, so there is no row to count.
# `OPTIONAL MATCH` keeps the row and fills the gap with null. Should you then write `count(*)` or `count(p)`? Predict what each gives for a friend who bought nothing.

# %% differs="Neo4j also warns that count() left a null out"
ask("""
    MATCH (:User {user_id: 'u17'})-[:FOLLOWS]->(friend)
    OPTIONAL MATCH (friend)-[:BOUGHT]->(p)
    RETURN friend.name, count(*) AS rows, count(p) AS products ORDER BY products, friend.name LIMIT 3
""")

# %% [markdown]
# `count(*)` counts rows, also the one with the gap. `count(p)` counts what is not null.
# A `WHERE` after `OPTIONAL MATCH` says what may fill the gap. It drops no friend, so the picture above had all seven.

# %% [markdown]
# ### Rows multiply
#
# Two numbers about Milan: how many people he follows, 7, and how many products he bought, 4. This query asks for both. What will it say?

# %%
ask("""
    MATCH (u:User {user_id: 'u17'})-[:FOLLOWS]->(friend)
    MATCH (u)-[:BOUGHT]->(p)
    RETURN count(friend) AS follows, count(p) AS products
""")

# %% [markdown]
# 28 and 28. Every friend was paired with every product, seven times four rows. Count before you go on: `WITH` ends one part of a query, and hands its rows to the next.

# %%
ask("""
    MATCH (u:User {user_id: 'u17'})-[:FOLLOWS]->(friend)
    WITH u, count(friend) AS follows
    MATCH (u)-[:BOUGHT]->(p)
    RETURN follows, count(p) AS products
""")

# %% [markdown]
# After `WITH` there is one row again, and it holds only what you passed on. A condition on an aggregate goes there too. Who has more than eighty followers?

# %%
ask("""
    MATCH (u:User)<-[:FOLLOWS]-(follower)
    WITH u, count(follower) AS followers WHERE followers > 80
    RETURN u.user_id, u.name, followers ORDER BY followers DESC, u.user_id
""")

# %% [markdown]
# ### A query inside a query
#
# A **subquery** in braces asks about one row at a time. `EXISTS` says whether there is a match, `COUNT` how many there are. They add no rows, so nothing multiplies.

# %%
ask("""
    MATCH (u:User) WHERE NOT EXISTS { (u)-[:FOLLOWS]->() }
    RETURN count(*) AS users, sum(COUNT { (u)-[:BOUGHT]->() }) AS products
""")

# %% [markdown]
# Sixteen users follow nobody. They have 86 `BOUGHT` relationships, one for each user and product.
#
# Take the three people with the most followers. Which product did most followers of each buy? `LIMIT` at the end of the query would cut the whole answer. Inside `CALL`, it holds for each person.

# %%
ask("""
    MATCH (u:User) WITH u, COUNT { (u)<-[:FOLLOWS]-() } AS followers
    ORDER BY followers DESC, u.user_id LIMIT 3
    CALL (u) {
        MATCH (u)<-[:FOLLOWS]-()-[:BOUGHT]->(p)
        RETURN p.name AS product, count(*) AS buyers ORDER BY buyers DESC, product LIMIT 1
    }
    RETURN u.name, followers, product, buyers
""")

# %% [markdown]
# ### Recommend
#
# A recommendation is a pattern: products that people bought whom I follow, and that I do not have. The more of them bought it, the better.

# %%
recommend = """
    MATCH (u:User {user_id: $user_id})-[:FOLLOWS]->(friend)-[:BOUGHT]->(p)
    WHERE NOT EXISTS { (u)-[:BOUGHT]->(p) }
    RETURN p.product_id AS product, count(friend) AS friends
    ORDER BY friends DESC, product LIMIT 4
"""
ask(recommend, user_id="u17")

# %% [markdown]
# Several products have the same number of friends behind them. Without the second sort key the database might return them in any order, and another four tomorrow. Always finish `ORDER BY` with something unique before `LIMIT`.

# %% [markdown]
# ## Further than one hop
#
# Milan's friends have friends. Two arrows, and how many rows?

# %%
ask("""
    MATCH (u:User {user_id: 'u17'})-[:FOLLOWS]->()-[:FOLLOWS]->(far)
    RETURN count(*) AS rows, count(DISTINCT far) AS people
""")

# %% [markdown]
# 28 ways, 22 people: some can be reached in more than one way, and each way is a row.
# A star writes "from one to two hops", a **variable-length path**. (Neo4j 5 can also write it `-[:FOLLOWS]->{1,2}`.) `path =` gives the whole path a name. Draw them.

# %%
picture("MATCH path = (:User {user_id: 'u17'})-[:FOLLOWS*1..2]->() RETURN path")

# %% [markdown]
# Now count, hop by hop. How many rows do you expect for six hops, among 400 users?

# %%
def reach(hops):
    (row,) = ask(f"""
        MATCH (:User {{user_id: 'u17'}})-[:FOLLOWS*1..{int(hops)}]->(far)
        RETURN count(*) AS paths, count(DISTINCT far) AS people
    """)
    return row["paths"], row["people"]

counts = [reach(hops) for hops in range(1, 7)]
paths = [paths for paths, people in counts]
paths

# %%
plots.by_depth({"paths": paths, "people": [people for paths, people in counts]}, "rows")

# %% [markdown]
# The scale is logarithmic: every hop multiplies the paths by about four. The people cannot keep up: 8,718 paths lead to 192 people.
# An unbounded star, `[:FOLLOWS*]`, tries all paths there are. On this graph that does not end while you watch. Always give a bound.
#
# The bound cannot be a parameter, so `reach` builds it into the text, through `int()`, which lets nothing but a number through.

# %% [markdown]
# ### Each person once
#
# You want the people, so do not carry the paths along. After each hop, `WITH DISTINCT` keeps every person once.

# %%
ask("""
    MATCH (:User {user_id: 'u17'})-[:FOLLOWS]->(a)
    WITH DISTINCT a MATCH (a)-[:FOLLOWS]->(b)
    WITH DISTINCT b MATCH (b)-[:FOLLOWS]->(c)
    WITH DISTINCT c MATCH (c)-[:FOLLOWS]->(d)
    RETURN count(*) AS rows, count(DISTINCT d) AS people
""")

# %% [markdown]
# The fourth hop without `DISTINCT`, for comparison. `*4..4` means exactly four hops.

# %%
ask("MATCH (:User {user_id: 'u17'})-[:FOLLOWS*4..4]->(d) RETURN count(*) AS rows, count(DISTINCT d) AS people")

# %% [markdown]
# The same 93 people, from less than half the rows. (One path never uses a relationship twice, four `MATCH`es may. Here they reach the same people.)

# %% [markdown]
# ### The shortest path
#
# How far is it from Milan to Aylin Haddad, u7? `shortestPath` finds one path with the fewest hops, and does not try all others first. `*..6` means at most six hops.

# %%
ask("""
    MATCH path = shortestPath((:User {user_id: 'u17'})-[:FOLLOWS*..6]-(:User {user_id: 'u7'}))
    RETURN length(path) AS hops
""")

# %% [markdown]
# Two hops. There is no arrowhead, so the path may go against a follow. Which way does it go? There can be several of the same length, and `allShortestPaths` returns them all. `[node IN … | node.name]` is a list with the name of each node.

# %%
ask("""
    MATCH path = allShortestPaths((:User {user_id: 'u17'})-[:FOLLOWS*..6]-(:User {user_id: 'u7'}))
    RETURN [node IN nodes(path) | node.name] AS way ORDER BY way
""")

# %% [markdown]
# Both ways lead through one of the two most followed people of the shop. That two users follow the same celebrity says little about them. Follow the arrows only, and the path means something: whose taste could reach Milan?

# %%
(row,) = driver.execute_query("""
    MATCH path = shortestPath((:User {user_id: 'u17'})-[:FOLLOWS*..6]->(:User {user_id: 'u7'}))
    RETURN path
""").records
[node["name"] for node in row["path"].nodes]

# %% [markdown]
# `row["path"]` is a path, with `nodes` and `relationships`, and the picture can mark it.

# %%
picture("""
    MATCH (u:User)-[f:FOLLOWS]->(other)
    WHERE u.user_id IN $ids
    RETURN u, f, other
""", mark=row["path"], ids=[node["user_id"] for node in row["path"].nodes])

# %% [markdown]
# And to somebody who cannot be reached? Decide what the answer should look like.

# %%
ask("MATCH p = shortestPath((:User {user_id: 'u17'})-[:FOLLOWS*..6]-(:User {user_id: 'u391'})) RETURN length(p)")

# %% [markdown]
# No path, no row. It is not an error, and not a row with null, so your program must expect an empty list.
# Ask also what happens from a user to themselves: Neo4j raises an error, the embedded engine answers 0 hops. Handle that case in Python, before the query.

# %% [markdown]
# ### A ring
#
# Why can u391 not be reached? Look at who is connected with them.

# %%
picture("MATCH path = (:User {user_id: 'u391'})-[:FOLLOWS*1..5]-() RETURN path")

# %% [markdown]
# Five accounts that follow each other in a circle, and nobody else. Rings like this can sell each other good reviews. To find one, you draw a path that ends where it started. `all(…)` is true if its `WHERE` holds for each node.

# %%
ask("""
    MATCH ring = (u:User)-[:FOLLOWS*5..5]->(u)
    WHERE all(node IN nodes(ring) WHERE COUNT { (node)-[:FOLLOWS]-() } = 2)
    RETURN [node IN nodes(ring) | node.user_id] AS ring
""")

# %% [markdown]
# One ring, five rows: every member is a start. Keep the row that starts with the smallest id, and each ring is found once.

# %%
ask("""
    MATCH ring = (u:User)-[:FOLLOWS*5..5]->(u)
    WHERE all(node IN nodes(ring) WHERE COUNT { (node)-[:FOLLOWS]-() } = 2)
    WITH u, [node IN nodes(ring) | node.user_id] AS ids
    WHERE all(id IN ids WHERE u.user_id <= id)
    RETURN ids
""")

# %% [markdown]
# ## What a join costs, and what a hop costs
#
# "Joins are slow, graphs are fast" is often said and seldom counted. Count. The follows go into SQLite, which lets you bring the function that compares two texts, a **collation**. Yours counts, as your keys did in chapter 01.

# %%
import sqlite3

def compare(one, other):
    compare.calls += 1
    return (one > other) - (one < other)

# %%
def follows_table(pairs):
    db = sqlite3.connect(":memory:")
    db.create_collation("counted", compare)
    db.execute("PRAGMA automatic_index = OFF")
    db.execute("CREATE TABLE follows (follower TEXT COLLATE counted, followed TEXT)")
    db.executemany("INSERT INTO follows VALUES (?, ?)", pairs)
    return db

# %% [markdown]
# (The `PRAGMA` keeps SQLite from making an index of its own while you look.) A join for each hop is written with a **recursive** query: what was found so far is joined with the table, again and again.

# %%
walk = """
    WITH RECURSIVE walk (user_id, hops) AS (
        SELECT 'u17', 0
        UNION ALL
        SELECT followed, hops + 1 FROM walk JOIN follows ON follower = user_id WHERE hops < ?
    )
    SELECT count(*) - 1 FROM walk
"""

# %%
def cost(db, hops):
    compare.calls = 0
    (found,) = db.execute(walk, [hops]).fetchone()
    return found, compare.calls

db = follows_table(shop.follows)
scanned = [cost(db, hops)[1] for hops in range(1, 5)]
cost(db, 1), cost(db, 2)

# %% [markdown]
# The right answers, 7 and 35. For each person, SQLite looked at all 1,761 follows. An index on `follower` should help. By how much?

# %%
db.execute("CREATE INDEX IF NOT EXISTS by_follower ON follows (follower)")
cost(db, 1), cost(db, 2)

# %% [markdown]
# About a hundredth. The index is a sorted tree. To find a person in it takes about ten or eleven comparisons, for 2 to the power of 11 is 2,048, and then their follows stand side by side.
#
# In a graph store each node holds on to its relationships, so a hop follows a link and compares nothing. The driver does not let you count hops. Take one for each row that you counted above:

# %%
indexed = [cost(db, hops)[1] for hops in range(1, 5)]
plots.by_depth({"join without index": scanned, "join with index": indexed, "graph": paths[:4]}, "comparisons, or hops")

# %% [markdown]
# So an index makes most of the difference. The graph takes about a quarter as many steps, of another kind. Does the join's number grow with the shop? Make the shop a hundred times larger, with people who have nothing to do with Milan.

# %%
strangers = [(f"{town}-{a}", f"{town}-{b}") for town in range(99) for a, b in shop.follows]
large = follows_table(shop.follows + strangers)
large.execute("CREATE INDEX by_follower ON follows (follower)")
cost(db, 4), cost(large, 4)

# %% [markdown]
# The tree is deeper, so the join pays a little more for each look-up. A graph needs no hop more, because no relationship leads from Milan to a stranger. That is the whole promise of a graph store: once the start is found, a question costs what it touches, however large the rest is.
#
# It is no help against a question that touches everything. The explosion above hits both. What you gain every day is the way to ask: a pattern of one line, against a recursive join.

# %% [markdown]
# ### Not quite the same paths
#
# Compare the four-hop answers. SQLite found 581, and Cypher?

# %%
cost(db, 4)[0], paths[3]

# %% [markdown]
# Cypher never uses a relationship twice in one path, SQL does not mind. With A following B and B following A, SQL walks to and fro for ever, which is why the `hops < ?` must be there.

# %% [markdown]
# ## Transactions
#
# Users can give each other store credit. Milan and Lucia start with ten euros each, in cents. A gift takes two steps.

# %%
def credit():
    rows = ask("MATCH (u:User) WHERE u.credit IS NOT NULL RETURN u.name, u.credit ORDER BY u.name")
    return {row["u.name"]: row["u.credit"] for row in rows}

ask("MATCH (u:User) WHERE u.user_id IN ['u17', 'u155'] SET u.credit = 1000")
credit()

# %%
take = "MATCH (u:User {user_id: $giver}) SET u.credit = u.credit - $cents RETURN u.credit AS left"
give = "MATCH (u:User {user_id: $taker}) SET u.credit = u.credit + $cents"

# %% [markdown]
# Each `ask` is a transaction of its own. Between the two, the program breaks off. Where is the money?

# %% tags=["raises-exception"]
ask(take, giver="u17", cents=100)
raise RuntimeError("the web server was restarted")

# %%
credit()

# %% [markdown]
# One euro is gone. Both steps must happen or none: that is a **transaction**. Put them in a function, and hand it to `execute_write`. `single()` returns the one row of an answer, or `None`.

# %%
def gift(tx, giver, taker, cents):
    left = tx.run(take, giver=giver, cents=cents).single()["left"]
    if left < 0:
        raise ValueError("not enough credit")
    tx.run(give, taker=taker, cents=cents)

# %% tags=["raises-exception"]
with driver.session() as session:
    session.execute_write(gift, "u17", "u155", cents=1000)

# %%
credit()

# %% [markdown]
# Nothing was taken. When the function raises an error, the transaction is **rolled back**. When it returns, the transaction is **committed**.

# %% [markdown]
# ### Try again
#
# Two transactions that wait for each other are a **deadlock**, and Neo4j ends one of them with an error that means "try again": a **transient error**. You cannot order a deadlock, but the course's server can pretend one, in answer to the next `RUN`.

# %% tags=["raises-exception"]
with server.faults.transient("RUN"), driver.session() as session:
    session.run(take, giver="u17", cents=0)

# %% [markdown]
# `session.run` leaves it to you. `execute_write` tries again by itself, after about a second, and so does `execute_query`, with which `ask` works. What will the record show?

# %% varies="the driver waits for a random time before it tries again"
with server.faults.transient("COMMIT"), server.record() as log, driver.session() as session:
    session.execute_write(gift, "u17", "u155", cents=100)

[command.name for command in log], credit()

# %% [markdown]
# Two times `BEGIN`, two times all the work, and one gift: the first attempt was rolled back. The red lines come from the driver, which logs that it tries again. What does the next cell print?

# %% varies="the driver waits for a random time before it tries again"
def gift_with_mail(tx, giver, taker, cents):
    gift(tx, giver, taker, cents)
    print(f"mail to {taker}: you have been given {cents} cents")

with server.faults.transient("COMMIT"), driver.session() as session:
    session.execute_write(gift_with_mail, "u17", "u155", cents=100)

# %% [markdown]
# Two mails for one gift. The database can take back its own work, not yours. A transaction function must be safe to run again: it works with `tx` alone, and what the world should see comes after it has returned.

# %% [markdown]
# ### The reply that is lost
#
# Now the connection breaks after the server has committed, and before it could say so. Was the gift given?

# %% tags=["raises-exception"]
with server.faults.drop_reply("COMMIT"), driver.session() as session:
    session.execute_write(gift, "u17", "u155", cents=100)

# %%
credit()

# %% [markdown]
# It was. The driver cannot know, so it raises `IncompleteCommit`, and does not try again on its own. (The red line about a defunct connection is its log again.) Suppose you do, because it says that something failed:

# %%
with driver.session() as session:
    session.execute_write(gift, "u17", "u155", cents=100)

credit()

# %% [markdown]
# Given twice. The repair is to make the gift idempotent. Each gift gets an id from whoever gives it, and only the query that creates the relationship with that id moves the money.

# %%
def gift_once(tx, gift_id, giver, taker, cents):
    tx.run("""
        MATCH (a:User {user_id: $giver}), (b:User {user_id: $taker})
        MERGE (a)-[g:GAVE {gift_id: $gift_id}]->(b)
          ON CREATE SET g.cents = $cents, a.credit = a.credit - $cents, b.credit = b.credit + $cents
    """, gift_id=gift_id, giver=giver, taker=taker, cents=cents)

# %%
def deliver(gift_id, giver, taker, cents):
    for attempt in range(3):
        try:
            with driver.session() as session:
                return session.execute_write(gift_once, gift_id, giver, taker, cents)
        except neo4j.exceptions.IncompleteCommit:
            if attempt == 2:
                raise
            print("no answer, so I ask again")

# %%
before = credit()
with server.faults.drop_reply("COMMIT"):
    deliver("gift-1", "u17", "u155", cents=100)

before, credit()

# %% [markdown]
# Committed, lost, asked again, and given once. The second attempt found the relationship, and moved nothing. (Two attempts at the same moment could still both create it. A constraint on a node closes that gap: exercise 9.5.)

# %% [markdown]
# Close the driver at the end. (To go on experimenting, run the cell that makes it again.)

# %%
driver.close()

# %% [markdown]
# ## Your server and Neo4j
#
# Every cell of this chapter runs on a real Neo4j as well: name one in `NEO4J_URI` and start again. The embedded server is ArcadeDB, another database that speaks Cypher and Bolt, and it differs in places.
#
# | | embedded | Neo4j 5 |
# |---|---|---|
# | status codes, types of errors | the same for what this course does | |
# | texts of messages | its own | others |
# | `PROFILE` before a query | operators and their rows | also **database hits** |
# | a label and a type of the same name | refused | allowed |
# | `SET` of a label on a node | the node's element id changes | it stays |
# | `SHORTEST 3`, full-text and vector indexes | not there | there |
# | a second writer of a unique value | refused when it commits | waits for the first |
# | shortest path from a node to itself | 0 hops | an error |
# | `WHERE` on the nodes of a shortest path | asked after the search | part of the search |
#
# What you counted, rows, comparisons, round trips, holds for both. How long things take does not, so the course does not say.

# %% [markdown]
# ## Recap
#
# * Nouns are nodes, verbs are relationships, and both carry properties. A query draws the pattern.
# * `MERGE` matches all of its pattern or creates all of it. Merge nodes by their key, then the relationship, then `SET` the rest.
# * Only a constraint prevents duplicates. Put it first.
# * Values travel as parameters. Names of labels and properties come from your own list.
# * Each match is a row, and rows multiply. `WITH` aggregates in between, subqueries ask without adding rows.
# * Give every variable-length path a bound. Keep people, not paths, with `WITH DISTINCT`.
# * An index makes a join cheap. A hop stays as cheap however large the graph becomes.
# * `execute_write` runs your function again after a transient error. After a lost commit it does not, and you may only try again if the work is idempotent.
#
# ## Glossary
#
# | term | meaning |
# |---|---|
# | node | a thing in the graph |
# | label | what kind of thing a node is |
# | relationship, type | a directed connection between two nodes, and what it means |
# | property | a named value on a node or a relationship |
# | Cypher | Neo4j's query language, the model of the standard GQL |
# | driver, Bolt | the library that talks to the server, and the protocol between the two |
# | session | a conversation with the server, with one transaction after another |
# | round trip | one message to the server and the wait for its answer |
# | summary, counters | what comes with an answer, and how much the query changed |
# | pattern, row | what a query draws, and one place in the graph that looks like it |
# | null | what a missing property is |
# | idempotent | done twice is the same as done once |
# | constraint | a rule that the database keeps |
# | index | a sorted copy of some values that finds nodes or rows without a scan |
# | Cypher injection | text from outside that becomes part of a query |
# | parameter | a value sent beside the query |
# | aggregate | one value from many rows, such as a count |
# | subquery | a query that is asked for each row of another |
# | variable-length path | a pattern that repeats a relationship |
# | transaction, commit, roll back | steps that happen together, making them last, undoing them |
# | deadlock | two transactions that wait for each other |
# | transient error | a failure that may not happen again |
# | lost reply | the work was done, and the answer did not arrive |
#
# ## Further reading
#
# * [The Cypher manual](https://neo4j.com/docs/cypher-manual/current/) and [the manual of the Python driver](https://neo4j.com/docs/python-manual/current/). Both are kept up to date.
# * Max De Marzi, [Introduction to graph databases](http://www.slideshare.net/maxdemarzi/introduction-to-graph-databases-12735789) (slides, 2012). Old: the idea has lasted, its Cypher has not.
# * [Graph search algorithm basics](https://neo4j.com/blog/graph-search-algorithm-basics/), Neo4j's blog. The address has moved since; chapter 10 builds those algorithms.
# * [Neo4j](http://www.neo4j.org/) runs on the Java virtual machine. The old address leads to neo4j.com.
# * [openCypher](https://opencypher.org/) describes the language for those who implement it, and was the way to the standard GQL of 2024.
#
# Two names that you will meet in older lists: Cayley, written in Go, has had no release since 2019, and Titan ended in 2015 and lives on as JanusGraph. Chapter 10 tries their ideas.
#
# ## Exercises
#
# [The exercises of this chapter](../exercises/09_graphs/graphs.ipynb) are five tasks: a loader that can run twice, recommendations, a ring of accounts, paths with a bound, and a purchase that survives faults.
