LOOK_OR_LOCK = '''
local kept = redis.call('GET', KEYS[1])
if kept then return {'kept', kept} end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', 10000) then return {'load', ''} end
return {'wait', ''}
'''
STORE = '''
if ARGV[2] ~= '' then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
return 1
'''


def load_once(r, key, load, ttl, wait=5.0):
    token, lock, deadline = secrets.token_hex(16), f"lock:{key}", monotonic() + wait
    while True:
        answer, kept = r.eval(LOOK_OR_LOCK, 2, key, lock, token)
        if answer == "kept":
            return json.loads(kept)
        if answer == "load":
            text = ""
            try:
                value = load()
                text = json.dumps(value)
                return value
            finally:
                r.eval(STORE, 2, key, lock, token, text, round(ttl * 1000))
        if monotonic() >= deadline:
            raise TimeoutError(key)
        sleep(0.01)
