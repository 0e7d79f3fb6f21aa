# the server copies: aggregate with $merge, then an update with a pipeline that keeps what was pushed meanwhile
def split_reviews(db):
    query = {"$or": [{"reviews": {"$exists": True}}, {"review_count": {"$exists": False}}]}
    for product in list(db.products.find(query, {"_id": 1})):
        for _ in range(1000):
            seen = db.products.find_one({"_id": product["_id"]}, {"reviews.user_id": 1})
            if seen is None:
                break
            users = [review["user_id"] for review in seen.get("reviews", [])]
            if users:
                db.products.aggregate([
                    {"$match": {"_id": product["_id"]}},
                    {"$unwind": "$reviews"},
                    {"$replaceWith": {"$mergeObjects": [
                        "$reviews", {"_id": {"$concat": [{"$toString": "$_id"}, ":", "$reviews.user_id"]}, "product_id": "$_id"}]}},
                    {"$merge": {"into": "reviews", "whenMatched": "replace"}},
                ])
            (facts,) = db.reviews.aggregate([
                {"$match": {"product_id": product["_id"]}},
                {"$facet": {"n": [{"$count": "n"}],
                            "top": [{"$sort": {"at": -1, "user_id": 1}}, {"$limit": 3}, {"$unset": ["_id", "product_id"]}]}}])
            if db.products.update_one(
                    {"_id": product["_id"], "$expr": {"$eq": [{"$ifNull": ["$reviews.user_id", []]}, users]}},
                    {"$set": {"review_count": facts["n"][0]["n"] if facts["n"] else 0, "latest_reviews": facts["top"]},
                     "$unset": {"reviews": ""}}).matched_count:
                break
