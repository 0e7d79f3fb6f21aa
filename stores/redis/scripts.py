"""The Lua that runs on a real server: ours (claim, clean, release, advance), and the guard of a learner's."""

# Argument 1 of ours is the name of the registry. Each looks and then acts in one atomic step.

OWNERS = """
for db = 1, 255 do
  if redis.pcall('SELECT', db).err then return {} end
  if redis.call('EXISTS', ARGV[1]) == 1 then return redis.call('HVALS', ARGV[1]) end
end
return {}
"""

CLAIM = """
local registry, token, wanted = ARGV[1], ARGV[2], tonumber(ARGV[3])
local dead, busy = cjson.decode(ARGV[4]), cjson.decode(ARGV[5])
local function empty(db)
  redis.call('SELECT', db)
  return redis.call('DBSIZE') == 0 and not busy[tostring(db)]
end
local last = 0
while last < 255 and not redis.pcall('SELECT', last + 1).err do last = last + 1 end
local home
for db = last, 1, -1 do
  redis.call('SELECT', db)
  if redis.call('EXISTS', registry) == 1 then home = db end
end
for db = last, 1, -1 do
  if not home and db ~= wanted and empty(db) then home = db end
end
if not home then return {last} end
for db = wanted or last, wanted or 1, -1 do
  redis.call('SELECT', home)
  local owner = db ~= home and db <= last and redis.call('HGET', registry, db)
  local free = db ~= home and db <= last and not owner and empty(db)
  if owner and dead[owner] and not busy[tostring(db)] then
    redis.call('SELECT', db)
    redis.call('FLUSHDB')
    free = true
  end
  if free then
    redis.call('SELECT', home)
    redis.call('HSET', registry, db, token)
    return {last, home, db}
  end
end
return {last}
"""

OWN = """
local registry, token, home, db = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
redis.call('SELECT', home)
local kind = redis.call('TYPE', registry).ok
if kind ~= 'hash' or redis.call('HGET', registry, db) ~= token then return 0 end
redis.call('SELECT', db)
"""
CLEAN = OWN + "redis.call('FLUSHDB') return 1"
RELEASE = OWN + "redis.call('FLUSHDB') redis.call('SELECT', home) redis.call('HDEL', registry, db) return 1"
ADVANCE = (
    OWN
    + """
local by, fields = tonumber(ARGV[5]), ARGV[6] == '1'
for _, key in ipairs(redis.call('KEYS', '*')) do
  if fields and redis.call('TYPE', key).ok == 'hash' then
    for _, field in ipairs(redis.call('HKEYS', key)) do
      local left = redis.call('HPTTL', key, 'FIELDS', 1, field)[1]
      if left > 0 then redis.call('HPEXPIRE', key, math.max(left - by, 0), 'FIELDS', 1, field) end
    end
  end
  local left = redis.call('PTTL', key)
  if left > 0 then redis.call('PEXPIRE', key, left - by) end
end
return 1
"""
)

# Runs before a learner's script, on the same line so that line numbers stay right. The script sees guarded
# tables as locals, which shadow the globals; loadstring gives its code the same locals. %s: refused names.
PRELUDE = """
local redis,server,_G,loadstring,load,getfenv,setfenv,debug,require,dofile=(function(real,globals,compile)
  local upper,text,denied,guard,hidden=string.upper,tostring,{%s},{},{}
  local function no(name,...)
    name=upper(text(name))
    local refused=denied[name] or name:sub(1,3)=='FT.'
    if name=='COPY' then for _,word in ipairs({...}) do refused=refused or upper(text(word))=='DB' end end
    if refused then return 'ERR '..name..' is refused in a script: it reaches outside the course' end
  end
  local function absent() error('this function is not available in a script of the course',0) end
  for name,value in pairs(real) do guard[name]=value end
  guard.call=function(...) local why=no(...) if why then error(why,0) end return real.call(...) end
  guard.pcall=function(...) local why=no(...)
    if why then return real.error_reply(why) end return real.pcall(...) end
  local all=setmetatable({},{__index=function(_,name)
    if hidden[name]~=nil then return hidden[name] end return globals[name] end})
  local function guarded(code,name)
    local make,why=compile('local redis,server,_G,loadstring,load,getfenv,setfenv,debug,require,dofile=...'
      ..' return function(...) '..text(code)..'\\n end',name)
    if not make then return nil,why end
    return make(guard,guard,all,hidden.loadstring,absent,absent,absent,absent,absent,absent)
  end
  hidden.redis,hidden.server,hidden._G,hidden.loadstring=guard,guard,all,guarded
  for _,name in ipairs({'load','getfenv','setfenv','debug','require','dofile'}) do hidden[name]=absent end
  return guard,guard,all,guarded,absent,absent,absent,absent,absent,absent
end)(redis,_G,loadstring)
"""
