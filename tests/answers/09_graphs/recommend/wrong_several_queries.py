# caught by: one query
from collections import Counter


def recommend(driver, user_id, limit):
    def ask(query, **parameters):
        return [record[0] for record in driver.execute_query(query, parameters).records]

    friends = ask("MATCH (:User {user_id: $id})-[:FOLLOWS]->(f) RETURN f.user_id", id=user_id)
    mine = ask("MATCH (:User {user_id: $id})-[:BOUGHT]->(p) RETURN p.product_id", id=user_id)
    others = ask("MATCH (f:User)-[:FOLLOWS]->(o) WHERE f.user_id IN $ids RETURN DISTINCT o.user_id", ids=friends)
    others = [other for other in others if other != user_id and other not in friends]
    bought = ask("MATCH (o:User)-[:BOUGHT]->(p) WHERE o.user_id IN $ids RETURN p.product_id", ids=others)
    counts = Counter(product for product in bought if product not in mine)
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]
