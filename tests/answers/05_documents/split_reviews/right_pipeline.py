def split_reviews(db):
    """Move the embedded reviews of db.products to db.reviews, as the task describes. May be interrupted and run again."""
    todo = [{"reviews": {"$exists": True}}, {"review_count": {"$exists": False}}]
    while ids := [product["_id"] for product in db.products.find({"$or": todo}, {"_id": 1})]:
        for product_id in ids:
            _move(db, product_id)


def _move(db, product_id):
    db.products.aggregate([
        {"$match": {"_id": product_id}},
        {"$unwind": "$reviews"},
        {"$replaceWith": {"$mergeObjects": [
            {"_id": {"$concat": ["$_id", ":", "$reviews.user_id"]}, "product_id": "$_id"}, "$reviews"]}},
        {"$merge": {"into": "reviews", "whenMatched": "replace"}},
    ])
    newest = list(db.reviews.find({"product_id": product_id}, {"product_id": 0}).sort([("at", -1), ("user_id", 1)]))
    for review in newest:
        del review["_id"]
    known = [review["user_id"] for review in newest]
    db.products.update_one(
        {"_id": product_id, "reviews": {"$not": {"$elemMatch": {"user_id": {"$nin": known}}}}},
        {"$set": {"review_count": len(newest), "latest_reviews": newest[:3]}, "$unset": {"reviews": 1}})
