SESSION_SECONDS = 1800


def _key(token):
    return "session:" + token


def _set(user_id):
    return "user:" + user_id + ":sessions"


def log_in(r, user_id, device):
    token = secrets.token_urlsafe(24)
    with r.pipeline() as p:
        p.sadd(_set(user_id), token)
        p.hset(_key(token), "user", user_id)
        p.hset(_key(token), "device", device)
        p.pexpire(_key(token), SESSION_SECONDS * 1000)
        p.pexpire(_set(user_id), SESSION_SECONDS * 1000)
        p.execute()
    return token


def read(r, token):
    session = peek(r, token)
    if session is None:
        return None
    with r.pipeline() as p:
        p.expire(_key(token), SESSION_SECONDS)
        p.expire(_set(session["user"]), SESSION_SECONDS)
        still_there, _ = p.execute()
    return session if still_there else None


def peek(r, token):
    session = r.hgetall(_key(token))
    return None if session == {} else session


def remember(r, token, field, value):
    user_id = r.hget(_key(token), "user")
    if user_id is None:
        return False
    return bool(r.eval('''
        if redis.call('EXPIRE', KEYS[1], ARGV[1]) == 0 then return 0 end
        redis.call('EXPIRE', KEYS[2], ARGV[1])
        redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
        return 1''', 2, _key(token), _set(user_id), SESSION_SECONDS, field, value))


def log_out_everywhere(r, user_id):
    tokens = list(r.smembers(_set(user_id)))
    with r.pipeline() as p:
        for token in tokens:
            p.exists(_key(token))
            p.unlink(_key(token))
            p.srem(_set(user_id), token)
        answers = p.execute()
    return sum(answers[::3])
