SESSION_SECONDS = 1800

SLIDE = """
    local session = 'session:' .. ARGV[1]
    local user = redis.call('HGET', session, 'user')
    if not user then
        return nil
    end
    if ARGV[3] then
        redis.call('HSET', session, ARGV[3], ARGV[4])
    end
    redis.call('EXPIRE', session, ARGV[2])
    redis.call('EXPIRE', 'user:' .. user .. ':sessions', ARGV[2])
    return redis.call('HGETALL', session)
"""


def log_in(r, user_id, device):
    token = secrets.token_hex(16)
    p = r.pipeline()
    p.hset("session:" + token, mapping=dict(user=user_id, device=device)).expire("session:" + token, SESSION_SECONDS)
    p.sadd(f"user:{user_id}:sessions", token).expire(f"user:{user_id}:sessions", SESSION_SECONDS)
    p.execute()
    return token


def read(r, token):
    pairs = r.eval(SLIDE, 0, token, SESSION_SECONDS)
    return dict(zip(pairs[::2], pairs[1::2], strict=True)) if pairs else None


def peek(r, token):
    session = r.hgetall("session:" + token)
    return session if session else None


def remember(r, token, field, value):
    return r.eval(SLIDE, 0, token, SESSION_SECONDS, field, value) is not None


def log_out_everywhere(r, user_id):
    ended = 0
    for token in r.smembers(f"user:{user_id}:sessions"):
        ended += r.delete("session:" + token)
        r.srem(f"user:{user_id}:sessions", token)
    return ended
