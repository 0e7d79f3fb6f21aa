def split_reviews(db):
    """Move the embedded reviews of db.products to db.reviews, as the task describes. May be interrupted and run again."""
    todo = {"$or": [{"reviews": {"$exists": True}}, {"review_count": None}]}
    while product := db.products.find_one(todo):
        embedded = product.get("reviews") or []
        stored = {review["_id"]: review for review in db.reviews.find({"product_id": product["_id"]})}
        for review in embedded:
            key = product["_id"] + ":" + review["user_id"]
            stored[key] = {"_id": key, "product_id": product["_id"], **review}
        if embedded:
            try:
                db.reviews.insert_many(list(stored.values()), ordered=False)
            except BulkWriteError as error:
                if {each["code"] for each in error.details["writeErrors"]} != {11000}:
                    raise
        newest = sorted(stored.values(), key=lambda review: review["user_id"])
        newest.sort(key=lambda review: review["at"], reverse=True)
        plain = [{name: review[name] for name in review if name not in ("_id", "product_id")} for review in newest]
        same = {"reviews": {"$size": len(embedded)}} if "reviews" in product else {"reviews": {"$exists": False}}
        db.products.find_one_and_update({"_id": product["_id"], **same},
                                        {"$set": {"review_count": len(plain), "latest_reviews": plain[:3]}, "$unset": {"reviews": 1}})
