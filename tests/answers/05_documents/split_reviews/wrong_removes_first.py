# caught by: and every review is there once
def split_reviews(db):
    """Move the embedded reviews of db.products to db.reviews, as the task describes. May be interrupted and run again."""
    for product in db.products.find({"$or": [{"reviews": {"$exists": True}}, {"review_count": {"$exists": False}}]}):
        reviews = product.get("reviews", [])
        newest = sorted(sorted(reviews, key=lambda review: review["user_id"]), key=lambda review: review["at"], reverse=True)
        db.products.update_one({"_id": product["_id"]},
                               {"$set": {"review_count": len(reviews), "latest_reviews": newest[:3]}, "$unset": {"reviews": ""}})
        if reviews:
            db.reviews.bulk_write([ReplaceOne({"_id": f"{product['_id']}:{review['user_id']}"},
                                              {"product_id": product["_id"], **review}, upsert=True) for review in reviews])
