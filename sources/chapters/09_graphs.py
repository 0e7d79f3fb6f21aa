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
# * write Cypher that groups, follows paths, finds the shortest one, and stays small,
# * say what a hop costs and what a join costs, by counting,
# * write a transaction that survives a fault and a lost reply.
#
# You need Python functions and dictionaries, and you should have seen a `SELECT` with a `JOIN`.

# %% [markdown]
# ## Nodes, relationships, properties
#
# **Neo4j** is a graph database. Start the course's server, and read which kind you have.

# %%
import stores

server = stores.start("neo4j")
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
# The query returns no rows, for it has no `RETURN`. Add a product that Lucia bought, and look at what you have.

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

# %%
ask("MATCH (u:User) RETURN u.user_id, u.nmae")

# %% [markdown]
# Cypher calls it **null**, and a slip of the pen looks like missing data. A real Neo4j adds a warning. A query that is no Cypher is refused.

# %% tags=["raises-exception"]
ask("MATCH (u:User) RETRUN u.name")

# %% [markdown]
# ## Add without doubling
#
# The shop receives the same facts again and again. What does the graph hold after you add Milan a second time?

# %%
ask("CREATE (:User {user_id: 'u17', name: 'Milan Chen'})")
ask("MATCH (u:User) RETURN u.user_id, count(*) AS times ORDER BY u.user_id")

# %% [markdown]
# Two nodes that mean one person. `CREATE` creates, whatever is there. Delete the new one: it is the one without relationships.

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

# %%
picture("MATCH (u:User) OPTIONAL MATCH (u)-[r]->(other) RETURN u, r, other")

# %% [markdown]
# Two. `MERGE` looks for the whole pattern. Milan is there and u23 is there, but not with that relationship between them. So it creates everything, a second Milan and a second u23.
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
ask("MATCH (u:User {city: 'Porto'}) DETACH DELETE u")
changes("""
    MERGE (u:User {user_id: 'u17'})
      ON CREATE SET u.visits = 1
      ON MATCH SET u.visits = coalesce(u.visits, 0) + 1
    SET u.city = 'Porto'
""")

# %% [markdown]
# `DETACH DELETE` deletes a node with its relationships. `coalesce` returns its first argument that is not null.

# %% [markdown]
# ### Two at the same moment
#
# `MERGE` reads, then writes. You know from chapter 01 what can happen in between. Two web servers greet one guest, each in a **transaction** of its own. How many guests are there at the end?

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

# %% tags=["raises-exception"]
guests = "CREATE CONSTRAINT guest_email FOR (g:Guest) REQUIRE g.email IS UNIQUE"
ask(guests)

# %% [markdown]
# Refused, because the rule is broken already. So you put constraints first, before any data. Then the database refuses the duplicate instead.

# %%
server.reset()
ask(guests)
ask("CREATE (:Guest {email: 'noor@shopstream.example'})")

# %% tags=["raises-exception"]
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

# %% tags=["raises-exception"]
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

# %% tags=["raises-exception"]
search("Sean O'Brien")

# %% [markdown]
# His apostrophe ended the text, and the rest of his name was read as Cypher. The next visitor has noticed that too. What does this search find?

# %%
search("x' OR true RETURN u.email //")

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
search("Sean O'Brien"), search("x' OR true RETURN u.email //")

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
# ## Load the shop
#
# Now the real data, constraints first. `IF NOT EXISTS` makes the cell safe to run again.

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

changes("""
    UNWIND $rows AS row
    MATCH (u:User {user_id: row[0]}), (p:Product {product_id: row[1]})
    MERGE (u)-[b:BOUGHT]->(p) SET b.quantity = row[2]
""", rows=[(user, product, quantity) for (user, product), quantity in bought.items()])

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
# The nodes with many arrows are the bestsellers: p7, p90 and their like are bought with everything, because everybody buys them. Keep that in mind for recommendations.
