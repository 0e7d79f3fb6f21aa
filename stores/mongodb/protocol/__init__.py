"""MongoDB's wire protocol: messages, and the session that serves one connection."""
