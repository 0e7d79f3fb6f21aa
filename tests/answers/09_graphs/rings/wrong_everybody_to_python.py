# caught by: at most 50 of the shop's rows reach your program
from collections import Counter


def rings(driver):
    records, _, _ = driver.execute_query("MATCH (a:User)-[:FOLLOWS]->(b:User) RETURN a.user_id AS a, b.user_id AS b")
    outgoing, incoming = Counter(r["a"] for r in records), Counter(r["b"] for r in records)
    once = {user for user in outgoing if outgoing[user] == incoming[user] == 1}
    records = [r for r in records if r["a"] in once and r["b"] in once]

    step = {record["a"]: record["b"] for record in records}
    found, seen = [], set()
    for start in sorted(step):
        walk, user = [], start
        while user in step and user not in seen:
            seen.add(user)
            walk.append(user)
            user = step[user]
        if user == start and 3 <= len(walk) <= 8:
            found.append(walk)
    return found
