# caught by: of a second move, and run again, the product is right
# unset first, then the counts: killed between, the product has no count and is skipped
def split_reviews(db):
    """Move the embedded reviews of db.products to db.reviews. May be interrupted and run again."""
    todo = {"$or": [{"reviews": {"$exists": True}}, {"review_count": {"$exists": False}}, {"latest_reviews": {"$exists": False}}]}
    ids = [product["_id"] for product in db.products.find(todo, {"_id": True})]
    if ids:
        db.reviews.create_index([("product_id", 1), ("at", -1), ("user_id", 1)])
    for _id in ids:
        while product := db.products.find_one({"_id": _id, **todo}):
            reviews = product.get("reviews") or []
            if reviews:
                db.reviews.bulk_write([
                    ReplaceOne({"_id": f"{_id}:{review['user_id']}"}, {"product_id": _id, **review}, upsert=True) for review in reviews
                ], ordered=False)
            count = db.reviews.count_documents({"product_id": _id})
            latest = list(db.reviews.find({"product_id": _id}, {"_id": False, "product_id": False})
                          .sort([("at", -1), ("user_id", 1)]).limit(3))
            same = {"_id": _id, "reviews": product["reviews"] if "reviews" in product else {"$exists": False}}
            done = db.products.update_one(same, {"$unset": {"reviews": ""}})
            if done.matched_count:
                db.products.update_one({"_id": _id}, {"$set": {"review_count": count, "latest_reviews": latest}})
            if done.matched_count:
                break
