# caught by: your code raised an error
def scan_all(orders, query, constant):
    """All documents that match, each once, whatever is written meanwhile. `constant`: fields that never change."""
    return list(orders.snapshot().find(query))
